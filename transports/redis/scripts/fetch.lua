-- fetch.lua: take tasks in order: what came back first, then by priority.
-- ARGV: owner, most. Returns {clock, {suffix, entries} ...}.
-- Where there is a limit, whoever gets less than it has room for waits to be told (wake, in lib.lua).
local most = tonumber(ARGV[2])
local room = most
local meta = redis.call('HMGET', T .. ':m', 's', 'l')
local out = {clock()}
if meta[1] == '1' then return out end
local list = suffixes()
local limit = tonumber(meta[2] or 0)
if limit > 0 then most = math.min(most, (places(limit))) end
for _, suffix in ipairs(list) do
    if most <= 0 then break end
    local stream = T .. ':s:' .. suffix
    local got = (limit == 0 or redis.call('XLEN', stream) > 0) and
        redis.call('XREADGROUP', 'GROUP', GROUP, ARGV[1], 'COUNT', most, 'STREAMS', stream, '>')
    if got and got[1] then
        out[#out + 1] = {suffix, got[1][2]}
        most = most - #got[1][2]
        room = room - #got[1][2]
    end
end
if limit > 0 then
    redis.call(room > 0 and 'SADD' or 'SREM', T .. ':h', ARGV[1])
    if room == 0 then wake(limit) end
end
return out
