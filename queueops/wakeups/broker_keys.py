"""The types of the keys in which Dramatiq keeps the queue. Whoever writes to the broker can leave one of another type
there, and no consumer fetches or acknowledges anything until it is gone. What they hold are wake-ups: no work is lost
with them.

Source: dramatiq/brokers/redis/dispatch.lua, which names each key and how it is used.
"""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis import Redis

from queueops.wakeups.doorbell import QUEUE

# KEYS: the namespace. ARGV: "1" to remove what is found, the queue, the id of a consumer that is looked after whether
# or not it has a heartbeat. Of consumers with one, those at either end: nobody can make this slow by adding more.
_LOOK = """
local found = {}
local function look(name, wanted)
    local key = KEYS[1] .. ':' .. name
    local kind = redis.call('TYPE', key).ok
    if kind == wanted or kind == 'none' then return kind == wanted end
    if ARGV[1] == '1' then redis.call('UNLINK', key) end
    found[#found + 1] = string.sub(key, 1, 100)
    return false
end
local function look_at_consumer(id)
    look('__acks__.' .. id .. '.' .. ARGV[2], 'set')
    look('__acks__.' .. id .. '.' .. ARGV[2] .. '.DQ', 'set')
end
for _, queue in ipairs({ARGV[2], ARGV[2] .. '.DQ'}) do
    look(queue, 'list')
    look(queue .. '.msgs', 'hash')
end
look(ARGV[2] .. '.XQ', 'zset')
look(ARGV[2] .. '.XQ.msgs', 'hash')
if ARGV[3] ~= '' then look_at_consumer(ARGV[3]) end
if look('__heartbeats__', 'zset') then
    for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. ':__heartbeats__', 0, 99)) do look_at_consumer(id) end
    for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. ':__heartbeats__', -100, -1)) do look_at_consumer(id) end
end
return found
"""


def of_wrong_type(client: Redis, *, remove: bool = False) -> list[str]:
    """The keys of our queue that have another type than Dramatiq uses, removed if wanted.

    Raises RedisError or OSError where the broker does not answer, or refuses."""
    found = client.eval(_LOOK, 1, namespace(), str(int(remove)), QUEUE, _consumer())
    names = found if isinstance(found, list) else []
    return sorted({name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in names})


def name_of(key: str) -> str:
    """The whole name of a key of Dramatiq's, such as that of a queue."""
    return f"{namespace()}:{key}"


def namespace() -> str:
    """What all names of Dramatiq's keys begin with, before a colon."""
    broker = dramatiq.get_broker()
    return str(broker.namespace) if isinstance(broker, RedisBroker) else "vectorpress"


def _consumer() -> str:
    """What the consumers of this process call themselves in the broker."""
    broker = dramatiq.get_broker()
    return str(broker.broker_id) if isinstance(broker, RedisBroker) else ""
