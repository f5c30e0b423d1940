-- SPDX-License-Identifier: Apache-2.0
-- A node's heartbeat: who lives, and which limits are pressed.
--
-- KEYS	meta (hash), seen (node to ms), acks (node to version), pressed (limit to
--	ms of the last refresh), changes (limit that is pressed to version), gone
--	(limit that is pressed no more to version); sorted sets but for meta
-- ARGV	node, epoch and version that it knows (0: none), whether it never saw an
--	epoch (1), whether it leaves (1), whether it has news (1), then the
--	limits that it presses
-- Returns lines: "epoch age_ms resumed_ms virgin version upto nodes
--	least whole news", then "+version limit" and "-version limit" for each change
--	after the version that the node knows, or for all that is pressed (whole).
--
-- A version is one change of the list, or one node more. A node that tells a
-- version acts on all up to it, so `least` is what the whole fleet acts on. One
-- that is new acts on what it is sent before it lets anything through.
-- News have no text: how often there were any is told to all.
-- Whatever is kept here may be lost: it is another epoch then, and the nodes say
-- again what they press.
local TTL, KEEP, MOST, PIECE, WHOLE = 1000, 3000, 200000, 200, 2000

local t = redis.call('TIME')
local us = t[1] * 1e6 + t[2]
local ms = math.floor(us / 1000)
local meta, seen, acks, pressed, changes, gone = unpack(KEYS)
local node = ARGV[1]
local function int(n) return string.format('%.0f', n) end

local m = redis.call('HMGET', meta, 'epoch', 'since', 'last', 'version',
	'virgin', 'trimmed', 'news')
local epoch, since, last = m[1], tonumber(m[2]), tonumber(m[3])
local version, virgin, trimmed = tonumber(m[4]), m[5], tonumber(m[6])
local news = (tonumber(m[7]) or 0) + (ARGV[6] == '1' and 1 or 0)
if not (epoch and since and last and version and virgin and trimmed) then
	redis.call('DEL', meta, seen, acks, pressed, changes, gone)
	epoch, since, version, trimmed = int(us), ms, 1, 0
	virgin = ARGV[4] == '1' and '1' or '0'
	redis.call('HSET', meta, 'epoch', epoch, 'virgin', virgin, 'trimmed', 0)
elseif ms - last > TTL or ms < last then
	-- Nobody came for a while: who is there will be known in a while.
	since = ms
	if ms < last then redis.call('DEL', seen, acks) end
end

for _, dead in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', ms - TTL,
	'LIMIT', 0, PIECE)) do
	redis.call('ZREM', seen, dead)
	redis.call('ZREM', acks, dead)
end
local acked = redis.call('ZSCORE', acks, node)
if redis.call('ZADD', seen, ms, node) == 1 then version = version + 1 end

for i = 7, #ARGV do
	if redis.call('ZADD', pressed, ms, ARGV[i]) == 1 then
		if redis.call('ZCARD', pressed) > MOST then
			redis.call('ZREM', pressed, ARGV[i])
		else
			version = version + 1
			redis.call('ZADD', changes, version, ARGV[i])
			redis.call('ZREM', gone, ARGV[i])
		end
	end
end
if ms - since > KEEP then
	for _, id in ipairs(redis.call('ZRANGEBYSCORE', pressed, '-inf',
		ms - KEEP, 'LIMIT', 0, PIECE)) do
		version = version + 1
		redis.call('ZREM', pressed, id)
		redis.call('ZREM', changes, id)
		redis.call('ZADD', gone, version, id)
	end
end

-- What is gone is kept for as long as one that lives may not know it; one that
-- was away begins anew.
local known = ARGV[2] == epoch and tonumber(ARGV[3]) or 0
local whole = known == 0 or known > version or (not acked and known < trimmed)
if whole then known = 0 end
local lines, upto = {}, version
local function piece(key, most)
	local got = redis.call('ZRANGEBYSCORE', key, '(' .. int(known), '+inf',
		'WITHSCORES', 'LIMIT', 0, most)
	if #got == 2 * most then
		upto = math.min(upto, tonumber(got[#got]))
	end
	return got
end
local function tell(got, sign)
	for i = 1, #got, 2 do
		local v = tonumber(got[i + 1])
		if v <= upto then
			lines[#lines + 1] = sign .. int(v) .. ' ' .. got[i]
		end
	end
end
if known < version then
	local more = piece(changes, whole and WHOLE or PIECE)
	local less = whole and {} or piece(gone, PIECE)
	tell(more, '+')
	tell(less, '-')
end

redis.call('ZADD', acks, whole and upto or known, node)
if ARGV[5] == '1' then
	redis.call('ZREM', seen, node)
	redis.call('ZREM', acks, node)
end
local first = redis.call('ZRANGE', acks, 0, 0, 'WITHSCORES')
local least = tonumber(first[2]) or version
if least > trimmed and
	redis.call('ZREMRANGEBYSCORE', gone, '-inf', int(least)) > 0 then
	redis.call('HSET', meta, 'trimmed', int(least))
end
redis.call('HSET', meta, 'since', int(since), 'last', int(ms), 'version',
	int(version), 'news', int(news))
table.insert(lines, 1, table.concat({epoch,
	int(math.max(0, us - epoch) / 1000), int(ms - since), virgin,
	int(version), int(upto), redis.call('ZCARD', seen), int(least),
	whole and 1 or 0, int(news)}, ' '))
return table.concat(lines, '\n')
