-- settle.lua: end deliveries. ARGV: owner, max_dead, dead_ttl_ms, then for each delivery
--   A suffix entry                                       done, nobody waits
--   R suffix entry reply id result_ttl_ms dedup body     done, with the answer
--   T suffix entry delay_ms                              again, one attempt more
--   K suffix entry delay_ms                              again, one crash more
--   U suffix entry delay_ms                              back, never started
--   X suffix entry cause reply id dedup body             to the dead letters
--   C suffix entry                                       claim: never deliver it again
--   N suffix entry reply id body                         not an end: a part of the answer
-- An entry is removed from its stream whenever it moves, so the one who can acknowledge it is the
-- one who holds it: nothing else is a fence, and nothing else is needed.
-- Returns {clock, entries in front, ms until the next delayed or -1, numbers of stale ones ...}.
local owner = ARGV[1]
local width = {A = 3, R = 8, T = 4, K = 4, U = 4, X = 8, C = 3, N = 6}
local now = clock()
local stale, ended = {}, 0
local done = {}    -- suffix -> {entries}, {ordinals}
local replies = {} -- ordinal -> position of an R
local others = {}
local at, ordinal = 2 + 2, 0
while at <= #ARGV do
    local kind, suffix = ARGV[at], ARGV[at + 1]
    ordinal = ordinal + 1
    if kind == 'A' or kind == 'R' then
        local d = done[suffix]
        if not d then d = {{}, {}}; done[suffix] = d end
        d[1][#d[1] + 1] = ARGV[at + 2]
        d[2][#d[2] + 1] = ordinal
        if kind == 'R' then replies[ordinal] = at end
    elseif kind == 'N' then
        -- at once, so that it stands before the answer it is a part of
        answer(ARGV[at + 3], ARGV[at + 4] .. ' p', ARGV[at + 5])
    else
        others[#others + 1] = {ordinal, at}
    end
    at = at + width[kind]
end
-- The acknowledgement comes first: with it a server short of memory lets the rest pass.
for suffix, d in pairs(done) do
    local stream = T .. ':s:' .. suffix
    ended = ended + #d[1]
    if redis.call('XACK', stream, GROUP, unpack(d[1])) == #d[1] then
        redis.call('XDEL', stream, unpack(d[1]))
    else
        for i, entry in ipairs(d[1]) do
            if redis.call('XDEL', stream, entry) == 0 then
                stale[#stale + 1] = d[2][i]
                replies[d[2][i]] = nil
            end
        end
    end
end
for _, p in pairs(replies) do
    local reply, id, ttl, dedup, body = ARGV[p + 3], ARGV[p + 4], tonumber(ARGV[p + 5]), ARGV[p + 6], ARGV[p + 7]
    if reply ~= '-' then answer(reply, id, body) end
    if ttl > 0 then redis.call('SET', T .. ':r:' .. id, body, 'PX', num(ttl)) end
    if dedup ~= '-' then answer_attached(id, dedup, body) end
end
for _, o in ipairs(others) do
    local p = o[2]
    local kind, stream, entry = ARGV[p], T .. ':s:' .. ARGV[p + 1], ARGV[p + 2]
    local found = redis.call('XRANGE', stream, entry, entry)[1]
    if kind == 'C' then
        -- a thousand deliveries: whoever takes over from a dead owner knows what that means
        local held = redis.call('XPENDING', stream, GROUP, entry, entry, 1, owner)
        if not found or #held == 0 then
            stale[#stale + 1] = o[1]
        else
            redis.call('XCLAIM', stream, GROUP, owner, 0, entry, 'IDLE', 3600000, 'RETRYCOUNT', 1000, 'JUSTID')
        end
    elseif redis.call('XACK', stream, GROUP, entry) == 0 or not found then
        stale[#stale + 1] = o[1]
    else
        redis.call('XDEL', stream, entry)
        ended = ended + 1
        local body = field(found[2], 'b') or ''
        local e = read(field(found[2], 'h'))
        if kind == 'X' or not e then
            local oldest = tonumber(ARGV[3]) > 0 and now - ARGV[3] or 0
            local cause = kind == 'X' and ARGV[p + 3] or cause_of('undecodable', owner)
            bury(found[2], cause, owner, tonumber(ARGV[2]), oldest)
            if kind == 'X' then
                if ARGV[p + 4] ~= '-' and ARGV[p + 7] ~= '' then answer(ARGV[p + 4], ARGV[p + 5], ARGV[p + 7]) end
                if ARGV[p + 6] ~= '-' then answer_attached(ARGV[p + 5], ARGV[p + 6], ARGV[p + 7]) end
            end
        else
            local delay = tonumber(ARGV[p + 3])
            grow_older(e, entry_ms(entry), now)
            e.deliveries = e.deliveries + 1
            if kind == 'T' then e.attempt = e.attempt + 1 end
            if kind == 'K' then e.crashes = e.crashes + 1 end
            if delay > 0 then
                put_off(e, body, now, delay)
            else
                queue_up(e, body, kind == 'U' and 'f' or e.priority)
            end
        end
    end
end
if ended > 0 and redis.call('EXISTS', T .. ':h') == 1 then
    -- who takes tasks looks by itself, into the places that it has left
    wake(redis.call('ZSCORE', T .. ':c', owner) and queued or ended)
end
local first = redis.call('ZRANGE', T .. ':d', 0, 0, 'WITHSCORES')
local due = first[2] and math.max(0, tonumber(first[2]) - now) or -1
local out = {now, redis.call('XLEN', T .. ':s:f'), due}
for _, o in ipairs(stale) do out[#out + 1] = o end
return out
