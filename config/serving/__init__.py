"""The application server: stands between granian's sockets and Django's WSGI application.

Bodies are read and answers are sent by coroutines, so a slow client costs a coroutine and never a thread. Threads run
Django only, with the whole body in memory.
"""
