"""Checks the types of Dramatiq's keys in the broker. If another program writes a key of another type there, no consumer
fetches or acknowledges anything until it is removed. The keys hold wake-ups only, so removing them loses no work.

Source: dramatiq/brokers/redis/dispatch.lua, which names each key and how it is used.
"""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis import Redis

from queueops.wakeups.doorbell import QUEUE

# KEYS: the namespace. ARGV: "1" to remove the keys found, the queue, the id of a consumer to check even without a
# heartbeat. Of consumers with one, only those at either end are checked, so that their number cannot slow this down.
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
    """The keys of our queue that have another type than Dramatiq uses; `remove` deletes them.

    Raises RedisError or OSError if the broker does not respond or refuses."""
    found = client.eval(_LOOK, 1, namespace(), str(int(remove)), QUEUE, _consumer())
    names = found if isinstance(found, list) else []
    return sorted({name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in names})


def name_of(key: str) -> str:
    """The full name of a Dramatiq key, such as that of a queue."""
    return f"{namespace()}:{key}"


def namespace() -> str:
    """The prefix of all Dramatiq keys, without the colon."""
    broker = dramatiq.get_broker()
    return str(broker.namespace) if isinstance(broker, RedisBroker) else "vectorpress"


def _consumer() -> str:
    """The id of this process's consumers in the broker."""
    broker = dramatiq.get_broker()
    return str(broker.broker_id) if isinstance(broker, RedisBroker) else ""
