-- rights.lua: which commands of the scripts this user may not run. No arguments.
-- Tried on a string that goes by itself: to all but the first few it is of the wrong type, so nothing is done.
-- Returns their names.
local probe, refused = T .. ':probe', {}
local function try(words)
    local args = {}
    for word in string.gmatch(words, '%S+') do args[#args + 1] = word == 'K' and probe or word end
    local r = redis.pcall(unpack(args))
    local failed = type(r) == 'table' and r.err or nil
    if failed and (string.find(failed, "can't run", 1, true) or string.find(failed, 'permissions to run', 1, true)) then
        refused[#refused + 1] = args[1]
    end
    return failed
end
-- without it the rest would make keys
if try('set K 1 PX 100') then return refused end
for _, words in ipairs({
    'get K', 'exists K', 'pexpire K 100', 'pttl K', 'time', 'scan 0 MATCH K',
    'xadd K * h p', 'xread STREAMS K 0', 'xreadgroup GROUP w o STREAMS K >', 'xack K w 0-1', 'xdel K 0-1',
    'xtrim K MAXLEN 1', 'xrange K - +', 'xlen K', 'xclaim K w o 0 0-1', 'xpending K w', 'xgroup CREATE K w 0',
    'xinfo GROUPS K', 'zadd K 1 m', 'zrem K m', 'zrange K 0 0', 'zrangebyscore K 0 0', 'zcard K', 'zcount K 0 0',
    'zscore K m', 'zrandmember K 1', 'sadd K m', 'srem K m', 'spop K 1', 'hset K f v', 'hget K f', 'hmget K f',
    'hdel K f', 'rpush K m', 'lrange K 0 0', 'del K',
}) do try(words) end
return refused
