-- SPDX-License-Identifier: Apache-2.0
-- A node takes tokens of one tenant's limits, ahead of their use.
--
-- KEYS	one a limit
-- ARGV	for each limit, in millionths of a token, parts in millionths, times in
--	microseconds:
--	1 rate a second		2 burst
--	3 hold: the part that others use without asking
--	4 own: the part that this node used so until now
--	5 ask			6 give: what it did not use and returns
--	7 earned: what it gave itself while it could not ask
--	8 spent since its last call		9 demand a second
--	10 weight: how many use the limit there
--	11 span it was counted in last	12 since its last call
--	13 from, what it was: free, leased, lost, quiet (leased, and without need
--	   to ask), cold (quiet, of a limit that is never free)
--	14 credit: no longer than that the store remembers; -1: for ever
-- Returns a line each: "grant settle span spending pace left": what it gets; for
--	how long nobody gets any; the span it is counted in; what all nodes spend
--	a second; when to come again; what is there for all.
--
-- A limit's state: 1 tokens, 2 when they were counted, 3 until when they settle,
-- 4 spending; and for this span (5 - 9) and the one before (10 - 14) its begin, and
-- of the nodes which came in it the sums of weights, of weights of the hungry (who
-- got less than they asked for), of demands of the others, and their number.
local PACE, PACE_MOST, NODES, POOL = 25e3, 250e3, 8, 75e3
local SPAN, GAP, SETTLE, KEPT, KEEP = 100e3, 1200e3, 1e6, 100e3, 60e3
local SLOWNESS = 1e6
local ARGS, FIELDS = 14, 14
local FORM = '<' .. string.rep('d', FIELDS)

local t = redis.call('TIME')
local now = t[1] * 1e6 + t[2]
local min, max = math.min, math.max

local function read(text)
	if not text or #text ~= FIELDS * 8 then return nil end
	local s = {struct.unpack(FORM, text)}
	for i = 1, FIELDS do
		if not (s[i] > -1e19 and s[i] < 1e19) then return nil end
	end
	return s
end

-- Tokens that there are, when nobody knows of any: what the nodes that used
-- their own parts have left.
local function begin(rate, burst, part, from, credit)
	local tokens = 0
	if from == 'free' or from == 'cold' then
		tokens = burst * part
		if credit >= 0 then tokens = min(tokens, rate * part * credit / 1e6) end
	end
	return {tokens, now, from == 'lost' and now + SETTLE or 0, 0,
		now, 0, 0, 0, 0, 0, 0, 0, 0, 0}
end

local out = {}
local states = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
	local a = {unpack(ARGV, (i - 1) * ARGS + 1, i * ARGS)}
	local from = a[13]
	for j = 1, ARGS do a[j] = tonumber(a[j]) end
	local rate, burst = max(a[1], 1), max(a[2], 1)
	local hold, own, ask = a[3] / 1e6, a[4] / 1e6, a[5]
	local demand, weight, since = a[9], max(a[10], 1), a[12]
	local s = read(states[i])
	-- Until now the others had `hold`, and this one `own`.
	local part = max(0, 1 - hold - own)
	local age = s and now - s[2] or 0

	if not s then
		s = begin(rate, burst, part, from, a[14])
	else
		local gone = now - max(s[2], min(s[3], now))
		if age < 0 or (age > GAP and (from == 'leased' or from == 'lost')) then
			-- Nobody could come: they lived on their shares, and do so
			-- until all can have come.
			s[1] = min(s[1], rate * KEPT / 1e6)
			s[3] = now + SETTLE
		elseif gone > 0 then
			local earned = a[7]
			if earned > rate * GAP / 1e6 then
				earned = min(earned, burst / 8)
			end
			if now - s[3] < since then
				earned = earned * (now - s[3]) / since
			end
			s[1] = s[1] + rate * part * gone / 1e6 - earned
		end
		s[2] = now
	end
	s[1] = max(min(s[1] + a[6], burst * part), -burst)
	-- As a node does for itself.
	local keep = (1 + max(age, 0) / SLOWNESS / 8) ^ -8
	s[4] = s[4] * keep + a[8] / SLOWNESS * 1e6

	local pace = min(PACE * max(1, max(s[9], s[14]) / NODES), PACE_MOST)
	local span = max(SPAN, 2 * pace)
	if now - s[5] >= span or now < s[5] then
		local next_to = now - s[5] < 2 * span and now >= s[5]
		for j = 5, 9 do
			s[j + 5] = next_to and s[j] or 0
			s[j] = 0
		end
		s[5] = now
	end
	-- By those that came in the span before, if there was one: a part for
	-- each by its weight, and to the hungry what others leave of theirs. Of
	-- what is there each takes a little, so that it matters little who comes
	-- first.
	local grant = 0
	if s[3] <= now and s[1] > 0 then
		local of = s[10] > 0 and 10 or 5
		local weights = max(s[of + 1], weight)
		local hungry = max(s[of + 2], weight)
		local usable = rate * max(1e-3, 1 - hold)
		local left = max(0, 1 - s[of + 2] / weights - s[of + 3] / usable)
		local due = weight / weights + left * weight / hungry
		grant = min(ask, s[1] * min(1, due * since / POOL))
		grant = math.floor(max(grant, 0))
		s[1] = s[1] - grant
	end
	if a[11] ~= s[5] then
		s[6] = s[6] + weight
		s[9] = s[9] + 1
		if grant < ask then
			s[7] = s[7] + weight
		else
			s[8] = s[8] + demand
		end
	end

	out[i] = string.format('%.0f %.0f %.0f %.0f %.0f %.0f', grant,
		max(0, s[3] - now), s[5], s[4], pace, s[1])
	redis.call('SET', KEYS[i], struct.pack(FORM, unpack(s, 1, FIELDS)), 'PX',
		string.format('%.0f', KEEP + min(burst / rate * 1000, 864e5)))
end
return table.concat(out, '\n')
