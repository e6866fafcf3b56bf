-- beat.lua: a sign of life, and what the living do for the dead.
-- ARGV: owner, lease_ms, pause_ms, max_crashes, max_dead, dead_ttl_ms,
-- role (bits: 1 has tasks, 2 calls, 4 takes tasks), reply_ttl_ms.
-- 1. Groups, the owner's place among the workers, its streams. 2. An owner whose lease has ended is
-- suspected; one still suspected a pause later is dead, so a step of the server's clock alone kills
-- nobody. 3. What a dead one held goes to the front; one started (delivery count above 1) has crashed;
-- one claimed is dead. 4. What is due is promoted.
-- Returns {clock, state, limit, priorities, front, due, taken over, lost bodies, replies are new,
-- words to this owner, held entry ...}.
local owner, lease, pause = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local most_crashes, most_dead, dead_age = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local role = tonumber(ARGV[7])
local now = clock()
local workers, meta = T .. ':w', T .. ':m'
local list = suffixes()
local taken, lost, budget, created, gone = 0, 0, 200, 0, 0

if role % 4 >= 2 then
    local replies = T .. ':a:' .. owner
    -- a new stream is read from its start
    if redis.call('PEXPIRE', replies, ARGV[8]) == 0 then
        redis.call('XGROUP', 'CREATE', replies, GROUP, '0', 'MKSTREAM')
        redis.call('PEXPIRE', replies, ARGV[8])
        created = 1
    end
end
if role == 2 then return {now, 0, 0, '', 0, -1, 0, 0, created} end

-- First what a server short of memory allows: then it lets the rest pass, too.
redis.call('HDEL', meta, 'z:' .. owner)
for _, suffix in ipairs(list) do group(T .. ':s:' .. suffix) end
group(T .. ':n:' .. owner)
redis.call('PEXPIRE', T .. ':n:' .. owner, num(lease * 2))
redis.call('ZADD', workers, num(now + lease), owner)
if role >= 4 then
    redis.call('ZADD', T .. ':c', num(now + lease), owner)
else
    gone = redis.call('ZREM', T .. ':c', owner) -- and looks for no place any more that it leaves
    redis.call('SREM', T .. ':h', owner)
end

local function take_over(dead)
    local empty = true
    for _, suffix in ipairs(list) do
        local stream = T .. ':s:' .. suffix
        for _, held in ipairs(redis.call('XPENDING', stream, GROUP, '-', '+', 100, dead)) do
            if budget == 0 then return false end
            budget = budget - 1
            local entry, count = held[1], held[4]
            local found = redis.call('XRANGE', stream, entry, entry)[1]
            redis.call('XACK', stream, GROUP, entry)
            redis.call('XDEL', stream, entry)
            local e = found and read(field(found[2], 'h'))
            if not found then
                lost = lost + 1
            elseif not e then
                bury(found[2], cause_of('undecodable', dead), dead, most_dead, 0)
            else
                taken = taken + 1
                grow_older(e, entry_ms(entry), now)
                e.deliveries = e.deliveries + 1
                if count > 1 then e.crashes = e.crashes + 1 else e.losses = e.losses + 1 end
                local body = field(found[2], 'b') or ''
                if count >= 1000 then
                    give_up(e, body, 'claimed', dead, most_dead)
                elseif e.crashes > most_crashes then
                    give_up(e, body, 'crashes', dead, most_dead)
                else
                    queue_up(e, body, 'f')
                end
            end
            empty = false
        end
    end
    return empty
end

-- Whoever holds entries and is not among the workers is put there, to be suspected.
for _, suffix in ipairs(list) do
    local stream = T .. ':s:' .. suffix
    for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', stream, GROUP)) do
        local name = c[2]
        if not redis.call('ZSCORE', workers, name) then
            if c[4] > 0 then
                redis.call('ZADD', workers, num(now - 1), name)
            elseif c[6] > lease * 4 then
                redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, name)
            end
        end
    end
end
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', num(now - 1), 'LIMIT', 0, 50)) do
    local since = tonumber(redis.call('HGET', meta, 'z:' .. dead) or 0)
    if since == 0 or since > now then
        redis.call('HSET', meta, 'z:' .. dead, num(now))
    elseif now - since >= pause and take_over(dead) then
        for _, suffix in ipairs(list) do redis.call('XGROUP', 'DELCONSUMER', T .. ':s:' .. suffix, GROUP, dead) end
        redis.call('ZREM', workers, dead)
        redis.call('ZREM', T .. ':c', dead)
        redis.call('SREM', T .. ':h', dead)
        redis.call('HDEL', meta, 'z:' .. dead)
        redis.call('DEL', T .. ':n:' .. dead, T .. ':i:' .. dead)
    end
end
if dead_age > 0 then redis.call('XTRIM', T .. ':x', 'MINID', '~', num(now - dead_age)) end

local due = promote(now, 200)
wake(queued + gone)
local set = redis.call('HMGET', meta, 's', 'l', 'p')
local out = {now, tonumber(set[1] or 0), tonumber(set[2] or 0), set[3] or '', redis.call('XLEN', T .. ':s:f'), due,
             taken, lost, created, redis.call('XLEN', T .. ':n:' .. owner)}
for _, suffix in ipairs(list) do
    for _, held in ipairs(redis.call('XPENDING', T .. ':s:' .. suffix, GROUP, 'IDLE', num(pause), '-', '+', 1000, owner)) do
        out[#out + 1] = suffix .. ' ' .. held[1]
    end
end
return out
