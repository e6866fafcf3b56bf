-- lib.lua: what the scripts share; it stands before each of them.
-- KEYS[1] is T, the prefix patio:{project:queue} of all keys of one queue, so one slot holds them.
-- An entry has two fields, h (header) and b (envelope). The header:
--   id flags attempt crashes losses deliveries ttl accepted priority reply dedup task
local T = KEYS[1]
local GROUP = 'w'

local function num(n) return string.format('%.0f', n) end

local function clock()
    local t = redis.call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function entry_ms(entry) return tonumber(string.match(entry, '^(%d+)')) or 0 end

local function read(header)
    local id, flags, attempt, crashes, losses, deliveries, ttl, accepted, priority, reply, dedup, task =
        string.match(header or '', '^(%x+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d) (%S+) (%S+) (.*)$')
    if not id then return nil end
    return {id = id, flags = flags, attempt = tonumber(attempt), crashes = tonumber(crashes),
            losses = tonumber(losses), deliveries = tonumber(deliveries), ttl = tonumber(ttl),
            accepted = tonumber(accepted), priority = priority, reply = reply, dedup = dedup, task = task}
end

local function write(e)
    return table.concat({e.id, e.flags, num(e.attempt), num(e.crashes), num(e.losses), num(e.deliveries),
                         num(e.ttl), num(e.accepted), e.priority, e.reply, e.dedup, e.task}, ' ')
end

-- What its time to live has left, and since when it is here, once it leaves the place it got at `ms`.
local function grow_older(e, ms, now)
    if e.ttl > 0 then e.ttl = math.max(1, e.ttl - math.max(0, now - ms)) end
    if e.accepted == 0 then e.accepted = ms end
end

local function field(list, name)
    for i = 1, #list - 1, 2 do
        if list[i] == name then return list[i + 1] end
    end
    return nil
end

-- The dedup record says where its task is.
local function moved(e, where)
    if e.dedup ~= '-' then
        local key = T .. ':k:' .. e.dedup
        local was = redis.call('GET', key)
        if was and string.sub(was, 1, 32) == e.id then
            redis.call('SET', key, e.id .. ' ' .. where, 'KEEPTTL')
        end
    end
end

local queued = 0 -- since this script began
local function queue_up(e, body, suffix)
    queued = queued + 1
    local entry = redis.call('XADD', T .. ':s:' .. suffix, '*', 'h', write(e), 'b', body)
    moved(e, suffix .. ' ' .. entry)
    return entry
end

-- One word into the stream of a worker: p (streams), s (state), d (delay), l (look for tasks), c <id>
-- (cancel). Returns false if it has gone.
local function tell(owner, word)
    return redis.call('XADD', T .. ':n:' .. owner, 'NOMKSTREAM', 'MAXLEN', '~', 1000, '*', 'h', word)
end
-- Into the sorted set; a few workers are told if it is the next one due.
local function put_off(e, body, now, delay)
    local due = now + delay
    if e.ttl > 0 then e.ttl = math.max(1, e.ttl - delay) end
    local first = redis.call('ZRANGE', T .. ':d', 0, 0, 'WITHSCORES')
    redis.call('HSET', T .. ':b', e.id, write(e) .. '\n' .. body)
    redis.call('ZADD', T .. ':d', num(due), e.id)
    moved(e, 'd')
    if not first[2] or due < tonumber(first[2]) then
        for _, owner in ipairs(redis.call('ZRANDMEMBER', T .. ':w', 3)) do tell(owner, 'd') end
    end
end

-- Out of there: its header and its body, or nothing if it is not there.
local function take_delayed(id)
    local packed = redis.call('HGET', T .. ':b', id)
    redis.call('ZREM', T .. ':d', id)
    redis.call('HDEL', T .. ':b', id)
    local cut = packed and string.find(packed, '\n', 1, true)
    if cut then return read(string.sub(packed, 1, cut - 1)), string.sub(packed, cut + 1) end
    return nil
end

-- What became due goes to its stream. Returns how long until the next one, or -1.
local function promote(now, most)
    local due = redis.call('ZRANGEBYSCORE', T .. ':d', '-inf', num(now), 'WITHSCORES', 'LIMIT', 0, most)
    for i = 1, #due, 2 do
        local e, body = take_delayed(due[i])
        if e then
            if e.ttl > 0 then e.ttl = math.max(1, e.ttl - (now - tonumber(due[i + 1]))) end
            queue_up(e, body, e.priority)
        end
    end
    local first = redis.call('ZRANGE', T .. ':d', 0, 0, 'WITHSCORES')
    if not first[2] then return -1 end
    return math.max(0, tonumber(first[2]) - now)
end

-- One of patio.v1.DeadLetter, whose first member is the cause, and the seventh who had the task.
local function cause_of(word, owner)
    return string.char(10, #word) .. word .. (owner and string.char(58, #owner) .. owner or '')
end

local function bury(fields, cause, owner, most, oldest_ms)
    local dead = T .. ':x'
    redis.call('XADD', dead, '*', 'c', cause, 'w', owner, unpack(fields))
    if redis.call('XLEN', dead) > most then redis.call('XTRIM', dead, 'MAXLEN', num(most)) end
    if oldest_ms > 0 then redis.call('XTRIM', dead, 'MINID', '~', num(oldest_ms)) end
end

-- A reply goes to a stream that its caller keeps alive; without it, the caller has gone.
local function answer(reply, id, body)
    return redis.call('XADD', T .. ':a:' .. reply, 'NOMKSTREAM', '*', 'h', id, 'b', body)
end

-- No answer will come, says a status behind the id, and why. Of a publish there is one receipt at most,
-- so that is for callers that wanted none of success.
local CANCELLED, TIMEOUT, PEER_LOST = 202, 203, 404
local function is_quiet(e) return bit.band(tonumber(e.flags), 4) ~= 0 end
local function refuse(reply, id, status, why) return answer(reply, id .. ' ' .. status, why) end

-- The end of a task with a dedup key: whoever attached to it has the same answer, or hears why there is none.
local function answer_attached(id, dedup, body, status, why)
    local key = T .. ':k:' .. dedup
    local left = redis.call('PTTL', key)
    local was = redis.call('GET', key)
    if left > 0 and was and string.sub(was, 1, 32) == id then
        redis.call('SET', key, id .. ' -', 'KEEPTTL')
        if body ~= '' then redis.call('SET', T .. ':r:' .. id, body, 'PX', left) end
    end
    local list = T .. ':j:' .. id
    for _, who in ipairs(redis.call('LRANGE', list, 0, -1)) do
        local reply, other, quiet = string.match(who, '^(%S+) (%x+) ?(%S*)$')
        if body ~= '' then
            answer(reply, other, body)
        elseif quiet == 'q' then
            refuse(reply, other, status or PEER_LOST,
                   why or 'the task with the same dedup key ended without a result: nobody waited for it')
        end
    end
    redis.call('DEL', list)
end

-- What became of a task that is removed, not run to its end, if somebody named it or its result was to be
-- kept. Its dead letter, if it is one, tells more.
local GONE_CANCELLED, GONE_DEAD = 7, 5
local function remember(e, state, named)
    if named or bit.band(tonumber(e.flags), 128) ~= 0 then
        redis.call('SET', T .. ':g:' .. e.id, state, 'PX', 3600000)
    end
end

-- A task goes before it is started: whoever waits for it hears why, but for the one whose wish it was.
local function farewell(e, why, wisher)
    remember(e, GONE_CANCELLED, wisher)
    if e.reply ~= '-' and e.reply ~= wisher and is_quiet(e) then refuse(e.reply, e.id, CANCELLED, why) end
    if e.dedup ~= '-' then answer_attached(e.id, e.dedup, '', CANCELLED, why) end
end

-- Its worker is lost, and it must not run again: a dead letter, and whoever waits for it hears so.
local function give_up(e, body, cause, owner, most)
    local why = 'its worker was lost, and it is not run again'
    bury({'h', write(e), 'b', body}, cause_of(cause, owner), owner, most, 0)
    if e.reply ~= '-' and is_quiet(e) then refuse(e.reply, e.id, PEER_LOST, why) end
    if e.dedup ~= '-' then answer_attached(e.id, e.dedup, '', PEER_LOST, why) end
end

local function group(stream)
    redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
end

local function suffixes()
    local list = {'f'}
    local used = redis.call('HGET', T .. ':m', 'p') or ''
    for p = 9, 0, -1 do
        if p == 4 or string.find(used, tostring(p), 1, true) then list[#list + 1] = tostring(p) end
    end
    return list
end

-- The last entry of a stream that was ever handed out.
local function last_taken(stream)
    local groups = redis.pcall('XINFO', 'GROUPS', stream)
    return not groups.err and groups[1] and field(groups[1], 'last-delivered-id') or '0-0'
end

-- A bounded look at the first entries that nobody has taken: what is too late to be started goes. Of a call
-- nothing is left, for its caller has stopped to wait; what was sent is a dead letter.
local function drop_late(stream, now, most_dead, dead_age)
    local from, late = '(' .. last_taken(stream), 0
    for _ = 1, 32 do
        local before = late
        for _, entry in ipairs(redis.call('XRANGE', stream, from, '+', 'COUNT', 16)) do
            local e = read(field(entry[2], 'h'))
            if e and e.ttl > 0 and now - entry_ms(entry[1]) >= e.ttl then
                late = late + 1
                redis.call('XDEL', stream, entry[1])
                if bit.band(tonumber(e.flags), 1) == 0 then
                    bury(entry[2], cause_of('expired'), '', most_dead, dead_age > 0 and now - dead_age or 0)
                end
                if e.dedup ~= '-' then
                    answer_attached(e.id, e.dedup, '', TIMEOUT, 'the task with the same dedup key came too late')
                end
            end
        end
        if late == before then return end
    end
end

local function tell_all(word)
    for _, owner in ipairs(redis.call('ZRANGE', T .. ':w', 0, -1)) do tell(owner, word) end
end

-- Within the limit: how many more may be held, and how many wait.
local function places(limit)
    local left, waiting = limit, 0
    for _, suffix in ipairs(suffixes()) do
        local stream = T .. ':s:' .. suffix
        local held = redis.pcall('XPENDING', stream, GROUP)
        if not held.err then
            left = left - held[1]
            waiting = waiting + redis.call('XLEN', stream) - held[1]
        end
    end
    return left, waiting
end

-- Where a queue has a limit, no read can wait for its tasks: whoever finds less than it has room for is
-- noted in T:h (fetch.lua), and told to look, at most so many of them, when a place and a task are there.
-- Who takes tasks looks by itself after each end of its own, and whoever leaves some tells the next one,
-- so one that is told is enough; if it dies on the way, every other one looks at its next sign of life.
local function wake(most)
    if most <= 0 or redis.call('EXISTS', T .. ':h') == 0 then return end
    local left, waiting = places(tonumber(redis.call('HGET', T .. ':m', 'l') or 0))
    most = math.min(most, left, waiting)
    while most > 0 do
        local some = redis.call('SPOP', T .. ':h', most)
        if #some == 0 then return end
        for _, owner in ipairs(some) do
            if tell(owner, 'l') then most = most - 1 end
        end
    end
end
