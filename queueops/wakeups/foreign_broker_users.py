"""Finds other Dramatiq programs in the broker's database, and removes what our earlier releases left under names that
those use too.

Our names have a namespace of their own, so neither program takes the other's messages. A separate database is still
better: emptying or filling it affects both.
"""

from collections.abc import Iterator
from itertools import islice

from redis import Redis

from queueops.wakeups import broker_keys
from queueops.wakeups.doorbell import ACTORS, QUEUE

FIX = "Give Vectorpress a database of its own: another number at the end of REDIS_URL, then restart web and workers."
# The namespace of Dramatiq itself, and the queue that earlier releases had in it.
_OLD_NAMESPACE, _OLD_QUEUE = "dramatiq", "embed"
_ALIVE_MS = 60_000
_MOST_LOOKS, _KEYS_A_LOOK, _MOST_KEYS = 50, 1_000, 100
_LONGEST, _SHOWN = 60, 5

# KEYS: the old namespace. ARGV: the old queue, then our actors. A message is ours if it names one of them in that queue
# without arguments; messages of another program with the same queue stay.
_FORGET = """
local ours, removed = {}, 0
for i = 2, #ARGV do ours[ARGV[i]] = true end
local queue = KEYS[1] .. ':' .. ARGV[1]
local function is_ours(messages, id)
    if redis.call('HSTRLEN', messages, id) > 2000 then return false end
    local is_read, found = pcall(cjson.decode, redis.call('HGET', messages, id) or '')
    return is_read and type(found) == 'table' and found.queue_name == ARGV[1] and ours[found.actor_name]
        and type(found.args) == 'table' and next(found.args) == nil
end
local function forget(ids, messages, take)
    for _, id in ipairs(ids) do
        if is_ours(messages, id) then
            take(id)
            redis.call('HDEL', messages, id)
            removed = removed + 1
        end
    end
end
forget(redis.call('LRANGE', queue, 0, 999), queue .. '.msgs', function(id) redis.call('LREM', queue, 0, id) end)
forget(redis.call('ZRANGE', queue .. '.XQ', 0, 999), queue .. '.XQ.msgs',
    function(id) redis.call('ZREM', queue .. '.XQ', id) end)
for _, consumer in ipairs(redis.call('ZRANGE', KEYS[1] .. ':__heartbeats__', 0, 99)) do
    local acks = KEYS[1] .. ':__acks__.' .. consumer .. '.' .. ARGV[1]
    forget(redis.call('SRANDMEMBER', acks, 1000), queue .. '.msgs', function(id) redis.call('SREM', acks, id) end)
end
return removed
"""


def look(client: Redis) -> list[str]:
    """Namespaces with consumers of the last minute, and queues with messages, that are not ours; only the first ones in
    a database with very many keys. Raises RedisError or OSError."""
    seconds, _ = client.time()
    since = int(seconds) * 1_000 - _ALIVE_MS
    found = []
    for key in islice(_keys(client, "*:__heartbeats__", "zset"), _MOST_KEYS):
        name = key.removesuffix(":__heartbeats__")
        if name != broker_keys.namespace() and (alive := client.zcount(key, since, "+inf")):
            found.append(f"{_shown(name)} ({alive} consumers)")
    for key in islice(_keys(client, "*:*.msgs", "hash"), _MOST_KEYS):
        name = key.removesuffix(".msgs")
        if name.removesuffix(".XQ").removesuffix(".DQ") != broker_keys.name_of(QUEUE):
            found.append(f"the queue {_shown(name)} ({client.hlen(key)} messages)")
    return sorted(found)


def sentence(found: list[str]) -> str:
    """The result of `look` as a sentence."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"is used by another Dramatiq program too: {', '.join(found[:_SHOWN])}{more}"


def forget_old_names(client: Redis) -> int:
    """Removes the wake-ups that earlier releases left in a queue that other programs may share; returns how many. The
    sweep replaces them. Raises RedisError or OSError."""
    return int(client.eval(_FORGET, 1, _OLD_NAMESPACE, _OLD_QUEUE, *sorted(ACTORS)))


def _keys(client: Redis, pattern: str, kind: str) -> Iterator[str]:
    """Names of keys of this type, from a bounded part of the database."""
    cursor = 0
    for _ in range(_MOST_LOOKS):
        cursor, keys = client.scan(cursor, match=pattern, count=_KEYS_A_LOOK, _type=kind)
        yield from (key.decode(errors="replace") if isinstance(key, bytes) else str(key) for key in keys)
        if not cursor:
            return


def _shown(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
