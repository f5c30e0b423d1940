-- SPDX-License-Identifier: Apache-2.0
-- A node says how many of something it has, and asks for room for more.
--
-- KEYS	one a limit: a hash of node to "count expires_ms", and of # to "total nodes
--	summed_ms short_ms"
-- ARGV	node, then for each limit
--	1 limit		2 hold: what others may have without asking
--	3 used: what it has	4 need: and what it must have
--	5 want: what it would like to have, not below these
-- Returns a line each: "own others nodes short": what it has now, with what is in
--	use; what all others have; how many nodes have any; whether somebody lately
--	got less than it needs.
--
-- What a node has counts, whether it was granted or not; it is forgotten when the
-- node has not come for TTL. The sum is made anew each SUM ms.
local TTL, SUM, SHORT, ARGS = 5000, 250, 1000, 5

local t = redis.call('TIME')
local ms = math.floor(t[1] * 1000 + t[2] / 1000)
local node = ARGV[1]

-- What it has, 0 when that has expired; a time too far off is of another clock.
local function count(text)
	local n, expires = string.match(text or '', '^(%d+) (%d+)$')
	n, expires = tonumber(n), tonumber(expires)
	if n and expires >= ms and expires <= ms + TTL then return n end
	return 0
end

local function sum(key)
	local total, nodes = 0, 0
	local all = redis.call('HGETALL', key)
	for j = 1, #all, 2 do
		local n = count(all[j + 1])
		if n > 0 then
			total, nodes = total + n, nodes + 1
		elseif all[j] ~= '#' then
			redis.call('HDEL', key, all[j])
		end
	end
	return total, nodes
end

local out = {}
for i, key in ipairs(KEYS) do
	local at = 1 + (i - 1) * ARGS
	local limit, hold = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
	local used, need = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
	local want = tonumber(ARGV[at + 5])
	local got = redis.call('HMGET', key, '#', node)
	local total, nodes, at_ms, short = string.match(got[1] or '',
		'^(%d+) (%d+) (%d+) (%d+)$')
	total, nodes = tonumber(total), tonumber(nodes)
	at_ms, short = tonumber(at_ms), tonumber(short) or 0
	local had = count(got[2])
	if not total or ms - at_ms >= SUM or ms < at_ms or total < had then
		total, nodes = sum(key)
		at_ms = ms
	end
	local others = total - had
	local own = math.max(used, math.min(want, limit - hold - others), 0)
	if own < need then short = ms end
	if own > 0 then
		redis.call('HSET', key, node, string.format('%.0f %.0f', own, ms + TTL))
	else
		redis.call('HDEL', key, node)
	end
	redis.call('HSET', key, '#', string.format('%.0f %.0f %.0f %.0f',
		others + own, nodes, at_ms, short))
	redis.call('PEXPIRE', key, 2 * TTL)
	out[i] = string.format('%.0f %.0f %.0f %d', own, others, nodes,
		short <= ms and ms - short < SHORT and 1 or 0)
end
return table.concat(out, '\n')
