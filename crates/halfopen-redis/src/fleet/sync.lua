-- One sync of one node of a fleet: adds what its breakers have counted since the last one, and returns what the fleet
-- knows of each. KEYS[1]: the nodes by the time of their last sync; KEYS[2]: the states of the breakers by name. ARGV[1]: the
-- node; ARGV[2..9]: milliseconds of a bucket, failure rate in parts per billion, minimum of calls, and milliseconds of an
-- opening, of a probe, of the time after either in which a node that has not heard of its end still waits, of the life of
-- a state that is not used, and of that of a node. Then five per breaker: its name, the epoch that the node knows, calls,
-- failures, and a report: 0 nothing, 1 it wants to probe, 2 its probes go on, 3 they have passed, 4 they have failed.
-- Returns this server's milliseconds, the number of nodes, and five per breaker: the epoch, the phase (0 closed, 1 open,
-- 2 another node probes, 3 this node probes, 4 the next node that wants to may probe), milliseconds until that ends,
-- calls and failures in the window.
-- All states are in one hash, because a command costs more than the work on a state.
local BUCKETS = 10
-- The fields of a breaker: the calls and failures of the whole window and of its newest bucket, and the buckets before,
-- packed, because they are needed only when a new one begins.
local EPOCH, UNTIL, PROBER, PROBE_UNTIL, NEWEST, CALLS, FAILURES, NEW_CALLS, NEW_FAILURES, OLD = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
local FIELDS = 10

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node = ARGV[1]
local width, rate, minimum = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local open, probe, hold, life = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local index = math.floor(now / width)

local function clear(s)
  s[NEWEST], s[CALLS], s[FAILURES], s[NEW_CALLS], s[NEW_FAILURES], s[OLD] = index, 0, 0, 0, 0, ''
end

-- Epochs grow even if the key of a breaker has expired in between.
local function enter(s, till)
  s[EPOCH] = math.max(s[EPOCH] + 1, now)
  s[UNTIL], s[PROBER], s[PROBE_UNTIL] = till, '', 0
  clear(s)
end

-- Begins the buckets that are due. A server whose clock was set back a little goes on with the newest one.
local function roll(s)
  if math.abs(index - s[NEWEST]) >= BUCKETS then return clear(s) end
  local old = s[OLD] == '' and {} or cmsgpack.unpack(s[OLD])
  while s[NEWEST] < index do
    s[NEWEST] = s[NEWEST] + 1
    old[#old + 1], old[#old + 2] = s[NEW_CALLS], s[NEW_FAILURES]
    s[NEW_CALLS], s[NEW_FAILURES] = 0, 0
    if #old > 2 * (BUCKETS - 1) then
      s[CALLS], s[FAILURES] = s[CALLS] - table.remove(old, 1), s[FAILURES] - table.remove(old, 1)
    end
  end
  s[OLD] = cmsgpack.pack(old)
end

-- Whether the state has changed.
local function hear(s, report)
  if report == '1' then
    if now < s[UNTIL] or (s[PROBER] ~= '' and now < s[PROBE_UNTIL]) then return false end
    s[PROBER], s[PROBE_UNTIL] = node, now + probe
  elseif s[PROBER] ~= node then
    return false
  elseif report == '2' then
    s[PROBE_UNTIL] = now + probe
  elseif report == '3' then
    enter(s, 0)
  elseif report == '4' then
    enter(s, now + open)
  else
    return false
  end
  return true
end

local function phase(s)
  if now < s[UNTIL] then return 1, s[UNTIL] - now + hold end
  if s[PROBER] == '' or now >= s[PROBE_UNTIL] then return 4, 0 end
  if s[PROBER] == node then return 3, s[PROBE_UNTIL] - now end
  return 2, s[PROBE_UNTIL] - now + hold
end

-- One sync in sixteen removes the silent nodes: a fleet of a thousand has enough of them, and its server more to do.
if redis.call('ZADD', KEYS[1], now, node) == 1 or now % 16 == 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[9])
  redis.call('PEXPIRE', KEYS[1], 20 * ARGV[9])
end
local reply = {now, redis.call('ZCARD', KEYS[1])}
if #ARGV < 10 then return reply end

local at, r = 10, 2
local names, written, is_new = {}, {}, false
for name = at, #ARGV - 4, 5 do names[#names + 1] = ARGV[name] end
local stored = redis.call('HMGET', KEYS[2], unpack(names))
-- Any state: opens, closes, begins buckets. Returns what is replied of it.
local function decide(i, at)
  local s
  if stored[i] then
    s = {cmsgpack.unpack(stored[i])}
  else
    s = {0, 0, '', 0}
    clear(s)
  end
  local changed, which, left = false, 0, 0
  if s[UNTIL] > 0 then
    -- No longer than from now: a clock that was set back.
    local till, probe_till = math.min(s[UNTIL], now + open), math.min(s[PROBE_UNTIL], now + probe)
    changed = till < s[UNTIL] or probe_till < s[PROBE_UNTIL]
    s[UNTIL], s[PROBE_UNTIL] = till, probe_till
    if now >= till + hold and (s[PROBER] == '' or now >= probe_till + hold) then
      enter(s, 0)
      changed = true
    end
  end
  if s[NEWEST] ~= index then roll(s) end
  if tonumber(ARGV[at + 1]) == s[EPOCH] then
    if s[UNTIL] > 0 then
      changed = hear(s, ARGV[at + 4]) or changed
    elseif ARGV[at + 2] ~= '0' then
      local more, failed = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
      local calls, failures = s[CALLS] + more, s[FAILURES] + failed
      s[CALLS], s[FAILURES] = calls, failures
      s[NEW_CALLS], s[NEW_FAILURES] = s[NEW_CALLS] + more, s[NEW_FAILURES] + failed
      if calls >= minimum and failures * 1e9 >= rate * calls then
        enter(s, now + open)
      end
      changed = true
    end
  end
  if changed then
    written[#written + 1], written[#written + 2] = names[i], cmsgpack.pack(unpack(s, 1, FIELDS))
    is_new = is_new or not stored[i]
  end
  if s[UNTIL] > 0 then which, left = phase(s) end
  return s[EPOCH], which, left, s[CALLS], s[FAILURES]
end

-- The counts of a closed state in its newest bucket, which are nearly all: no table is made of it.
for i = 1, #names do
  local epoch, which, left, calls, failures, is_decided
  if stored[i] then
    local till, prober, probe_till, newest, new_calls, new_failures, old
    epoch, till, prober, probe_till, newest, calls, failures, new_calls, new_failures, old = cmsgpack.unpack(stored[i])
    if till == 0 and newest == index and tonumber(ARGV[at + 1]) == epoch then
      which, left, is_decided = 0, 0, true
      local more, failed = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
      if more > 0 then
        calls, failures = calls + more, failures + failed
        is_decided = calls < minimum or failures * 1e9 < rate * calls
        if is_decided then
          written[#written + 1], written[#written + 2] = names[i], cmsgpack.pack(
            epoch, till, prober, probe_till, newest, calls, failures, new_calls + more, new_failures + failed, old
          )
        end
      end
    end
  end
  if not is_decided then
    epoch, which, left, calls, failures = decide(i, at)
  end
  reply[r + 1], reply[r + 2], reply[r + 3], reply[r + 4], reply[r + 5] = epoch, which, left, calls, failures
  at, r = at + 5, r + 5
end

-- A state that comes removes those that are as good as none.
if is_new then
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local s = {cmsgpack.unpack(all[i + 1])}
    if math.max(s[UNTIL], s[PROBE_UNTIL], s[NEWEST] * width) + life < now then
      redis.call('HDEL', KEYS[2], all[i])
    end
  end
end
if #written > 0 then
  redis.call('HSET', KEYS[2], unpack(written))
  redis.call('PEXPIRE', KEYS[2], life)
end
return reply
