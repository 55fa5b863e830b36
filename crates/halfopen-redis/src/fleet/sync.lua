-- One sync of one node of a fleet: adds what its breakers have counted since the last one, and returns what the fleet
-- knows of each. KEYS[1]: the nodes; KEYS[2..]: a key per breaker. ARGV[1]: the node; ARGV[2..9]: milliseconds of a
-- bucket, failure rate in parts per billion, minimum of calls, and milliseconds of an opening, of a probe, of the time
-- after either in which a node that has not heard of its end still waits, of the life of a breaker's key and of a node.
-- Then four per breaker: the epoch that the node knows, calls, failures, and a report: 0 nothing, 1 it wants to probe,
-- 2 its probes go on, 3 they have passed, 4 they have failed.
-- Returns this server's milliseconds, the number of nodes, and five per breaker: the epoch, the phase (0 closed, 1 open,
-- 2 another node probes, 3 this node probes, 4 the next node that wants to may probe), milliseconds until that ends,
-- calls and failures in the window.
local BUCKETS = 10
-- The fields of a breaker: its buckets follow, calls and failures in turn.
local EPOCH, UNTIL, PROBER, PROBE_UNTIL, NEWEST, FIRST = 1, 2, 3, 4, 5, 6

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local node = ARGV[1]
local width, rate, minimum = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local open, probe, hold = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local function clear(s, newest)
  s[NEWEST] = newest
  for at = FIRST, FIRST + 2 * BUCKETS - 1 do s[at] = 0 end
end

-- Epochs grow even if the key of a breaker has expired in between.
local function enter(s, till)
  s[EPOCH] = math.max(s[EPOCH] + 1, now)
  s[UNTIL], s[PROBER], s[PROBE_UNTIL] = till, '', 0
  clear(s, math.floor(now / width))
end

local function roll(s)
  local index = math.floor(now / width)
  if index - s[NEWEST] >= BUCKETS or s[NEWEST] - index >= BUCKETS then
    clear(s, index)
  end
  for bucket = s[NEWEST] + 1, index do
    local at = FIRST + 2 * (bucket % BUCKETS)
    s[at], s[at + 1] = 0, 0
    s[NEWEST] = bucket
  end
end

local function sums(s)
  local calls, failures = 0, 0
  for at = FIRST, FIRST + 2 * BUCKETS - 2, 2 do
    calls, failures = calls + s[at], failures + s[at + 1]
  end
  return calls, failures
end

-- Whether the state has changed.
local function count(s, calls, failures)
  if calls == 0 then return false end
  local at = FIRST + 2 * (s[NEWEST] % BUCKETS)
  s[at], s[at + 1] = s[at] + calls, s[at + 1] + failures
  local all, failed = sums(s)
  if all >= minimum and failed * 1e9 >= rate * all then
    enter(s, now + open)
  end
  return true
end

local function hear(s, report)
  if report == 1 then
    if now < s[UNTIL] or (s[PROBER] ~= '' and now < s[PROBE_UNTIL]) then return false end
    s[PROBER], s[PROBE_UNTIL] = node, now + probe
  elseif s[PROBER] ~= node then
    return false
  elseif report == 2 then
    s[PROBE_UNTIL] = now + probe
  elseif report == 3 then
    enter(s, 0)
  elseif report == 4 then
    enter(s, now + open)
  else
    return false
  end
  return true
end

local function phase(s)
  if s[UNTIL] == 0 then return 0, 0 end
  if now < s[UNTIL] then return 1, s[UNTIL] - now + hold end
  if s[PROBER] == '' or now >= s[PROBE_UNTIL] then return 4, 0 end
  if s[PROBER] == node then return 3, s[PROBE_UNTIL] - now end
  return 2, s[PROBE_UNTIL] - now + hold
end

redis.call('ZADD', KEYS[1], now, node)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[9]))
redis.call('PEXPIRE', KEYS[1], ARGV[9])
local reply = {now, redis.call('ZCARD', KEYS[1])}
if #KEYS == 1 then return reply end

local stored = redis.call('MGET', unpack(KEYS, 2))
for i = 1, #stored do
  local s = stored[i] and cmsgpack.unpack(stored[i]) or {0, 0, '', 0, 0}
  if #s == 5 then clear(s, math.floor(now / width)) end
  -- No longer than from now: a clock that was set back.
  local till, probe_till = math.min(s[UNTIL], now + open), math.min(s[PROBE_UNTIL], now + probe)
  local changed = till < s[UNTIL] or probe_till < s[PROBE_UNTIL]
  s[UNTIL], s[PROBE_UNTIL] = till, probe_till
  roll(s)
  if s[UNTIL] > 0 and now >= s[UNTIL] + hold and (s[PROBER] == '' or now >= s[PROBE_UNTIL] + hold) then
    enter(s, 0)
    changed = true
  end
  local at = 6 + 4 * i
  if tonumber(ARGV[at]) == s[EPOCH] then
    if s[UNTIL] == 0 then
      changed = count(s, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])) or changed
    else
      changed = hear(s, tonumber(ARGV[at + 3])) or changed
    end
  end
  if changed then
    redis.call('SET', KEYS[i + 1], cmsgpack.pack(s), 'PX', ARGV[8])
  end
  local which, left = phase(s)
  local calls, failures = sums(s)
  local r = #reply
  reply[r + 1], reply[r + 2], reply[r + 3], reply[r + 4], reply[r + 5] = s[EPOCH], which, left, calls, failures
end
return reply
