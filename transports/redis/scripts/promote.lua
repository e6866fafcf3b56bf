-- promote.lua: what is due goes to its stream. ARGV: most.
-- Returns {clock, ms until the next one or -1}.
local now = clock()
return {now, promote(now, tonumber(ARGV[1]))}
