"""The application server between granian's sockets and Django's WSGI application.

Coroutines read bodies and send replies, so a slow client costs a coroutine and never a thread. Threads run
Django only, with the whole body in memory.
"""
