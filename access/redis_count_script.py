"""Reads a count within a Lua script of Redis (https://valkey.io/topics/eval-intro/), even if its value is invalid.

Writers of Redis can delete a count; an invalid value, or a key without expiry, must not have another effect.
"""

# count_of(key): the whole number that the key holds, of nine digits at most; anything else is removed, and is 0.
# end_within(key, most): an existing key expires within `most` ms; an earlier expiry stays.
HELPERS = """
local function count_of(key)
  local value = redis.pcall('GETRANGE', key, 0, 9)
  if type(value) == 'string' and #value <= 9 and (value == '0' or string.match(value, '^[1-9]%d*$')) then
    return tonumber(value)
  end
  redis.call('UNLINK', key)
  return 0
end
local function end_within(key, most)
  local left = redis.call('PTTL', key)
  if left == -1 or left > most then redis.call('PEXPIRE', key, most) end
end
"""
