-- One sync of one node of a fleet: adds what its breakers have counted since the last one, and returns what the fleet
-- knows of each. KEYS[1]: the nodes by the time of their last sync; KEYS[2]: the states of the breakers by name.
-- ARGV[1] is packed, little-endian, with texts after their length:
--   the node (a byte of length); four bytes each: milliseconds of a bucket, failure rate in parts per billion, minimum of
--   calls, and milliseconds of an opening, of a probe, of the time after either in which a node that has not heard of
--   its end still waits, of the life of a state that is not used, and of that of a node (0: this sync does not extend it);
--   two bytes: the number of breakers; their names (two bytes of length each);
--   per breaker the epoch that the node knows (six bytes) and a report (one): 0 nothing, 1 it wants to probe, 2 its probes go
--   on, 3 they have passed, 4 they have failed; and then per breaker its calls and failures (four each).
-- Returns, packed likewise: this server's milliseconds (six bytes), the number of nodes (four); per breaker calls and
-- failures in the window (six each); and then, for each breaker that is not closed in the epoch that the node knows, its place
-- (two, from 1), its epoch (six), and six bytes with the phase (0 closed, 1 open, 2 another node probes, 3 this node probes, 4
-- the next node that wants to may probe) plus eight times the milliseconds until that ends.
-- One packed argument, one packed reply and one hash, because an argument, a number in a reply and a command each cost
-- more than the work on a state.
local BUCKETS = 10
-- A state: its epoch, its newest bucket (-1 while the fleet is open), calls and failures of the window, and the rest, which
-- is needed only while the fleet is open or when a bucket begins.
local STATE, OPEN = '<ddddI2c0', -1
local pack, parse = struct.pack, struct.unpack

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, width, rate, minimum, open, probe, hold, life, node_life, count, at =
  parse('<Bc0I4I4I4I4I4I4I4I4I2', ARGV[1])
local index = math.floor(now / width)

-- One sync in sixteen removes the silent nodes: a fleet of a thousand has enough of them, and its server more to do.
if node_life > 0 and (redis.call('ZADD', KEYS[1], now, node) == 1 or now % 16 == 0) then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - node_life)
  redis.call('PEXPIRE', KEYS[1], 20 * node_life)
end
local nodes = redis.call('ZCARD', KEYS[1])
if count == 0 then return pack('<I6I4', now, nodes) end

local names = {parse('<' .. string.rep('I2c0', count), ARGV[1], at)}
-- Epochs and reports; calls and failures, which the sums replace.
local told = {parse('<' .. string.rep('I6B', count), ARGV[1], names[count + 1])}
local counts = {parse('<' .. string.rep('I4I4', count), ARGV[1], told[2 * count + 1])}
names[count + 1] = nil
local stored = redis.call('HMGET', KEYS[2], unpack(names))

-- With room for ten states: a table that grows step by step costs as much as three of them.
local written = {nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil}
local slow, n = {}, 0

-- The counts of a closed state in its newest bucket, and no counts, which are nearly all.
for i = 1, count do
  local is_done, at = false, 2 * i - 1
  local known, more = told[at], counts[at]
  if stored[i] then
    local epoch, newest, calls, failures, rest = parse(STATE, stored[i])
    if known == epoch and newest == index then
      is_done = true
      if more > 0 then
        calls, failures = calls + more, failures + counts[at + 1]
        is_done = calls < minimum or failures * 1e9 < rate * calls
        if is_done then
          written[n + 1], written[n + 2] = names[i], pack(STATE, epoch, newest, calls, failures, #rest, rest)
          n = n + 2
        end
      end
      if is_done then counts[at], counts[at + 1] = calls, failures end
    elseif known == epoch and more == 0 and newest ~= OPEN and index >= newest + BUCKETS then
      is_done = true
      counts[at], counts[at + 1] = 0, 0
    end
  else
    is_done = more == 0 and known == 0
  end
  if not is_done then slow[#slow + 1] = i end
end

local function reply()
  -- Within a bucket the key needs no longer life: the states that came first in it have extended it.
  if n > 0 then redis.call('HSET', KEYS[2], unpack(written, 1, n)) end
  return pack('<I6I4' .. string.rep('I6I6', count), now, nodes, unpack(counts, 1, 2 * count))
end
if #slow == 0 then return reply() end

-- The rest of a state: the end of the opening (0: closed), the prober, the end of its time, the calls and failures of
-- the window when its newest bucket began, and those of the buckets before, the oldest first.
local TILL, PROBER, PROBE_UNTIL, BASE_CALLS, BASE_FAILURES, OLD = 1, 2, 3, 4, 5, 6

local function clear(s)
  s.newest, s.calls, s.failures = index, 0, 0
  for i = #s.rest, OLD, -1 do s.rest[i] = nil end
  s.rest[BASE_CALLS], s.rest[BASE_FAILURES] = 0, 0
end

-- Epochs grow even if the key of a breaker has expired in between.
local function enter(s, till)
  s.epoch = math.max(s.epoch + 1, now)
  clear(s)
  s.rest[TILL], s.rest[PROBER], s.rest[PROBE_UNTIL] = till, '', 0
  if till > 0 then s.newest = OPEN end
end

local function read(packed)
  local s = {epoch = 0, rest = {0, '', 0}}
  if not packed then
    clear(s)
    return s
  end
  local rest
  s.epoch, s.newest, s.calls, s.failures, rest = parse(STATE, packed)
  s.rest = cmsgpack.unpack(rest)
  return s
end

local function write(s)
  local rest = cmsgpack.pack(s.rest)
  return pack(STATE, s.epoch, s.newest, s.calls, s.failures, #rest, rest)
end

-- Begins the buckets that are due. A server whose clock was set back a little goes on with the newest one.
local function roll(s)
  if math.abs(index - s.newest) >= BUCKETS then return clear(s) end
  local rest = s.rest
  while s.newest < index do
    s.newest = s.newest + 1
    rest[#rest + 1], rest[#rest + 2] = s.calls - rest[BASE_CALLS], s.failures - rest[BASE_FAILURES]
    if #rest >= OLD + 2 * (BUCKETS - 1) then
      s.calls, s.failures = s.calls - table.remove(rest, OLD), s.failures - table.remove(rest, OLD)
    end
    rest[BASE_CALLS], rest[BASE_FAILURES] = s.calls, s.failures
  end
end

-- Whether the state has changed.
local function hear(s, report)
  local till, prober, probe_till = unpack(s.rest)
  if report == 1 then
    if now < till or (prober ~= '' and now < probe_till) then return false end
    s.rest[PROBER], s.rest[PROBE_UNTIL] = node, now + probe
  elseif prober ~= node then
    return false
  elseif report == 2 then
    s.rest[PROBE_UNTIL] = now + probe
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
  local till, prober, probe_till = unpack(s.rest)
  if till == 0 then return 0, 0 end
  if now < till then return 1, till - now + hold end
  if prober == '' or now >= probe_till then return 4, 0 end
  if prober == node then return 3, probe_till - now end
  return 2, probe_till - now + hold
end

-- Closes what is over. Whether the state has changed.
local function pass(s)
  if s.rest[TILL] == 0 then return false end
  -- No longer than from now: a clock that was set back.
  local till, probe_till = math.min(s.rest[TILL], now + open), math.min(s.rest[PROBE_UNTIL], now + probe)
  local changed = till < s.rest[TILL] or probe_till < s.rest[PROBE_UNTIL]
  s.rest[TILL], s.rest[PROBE_UNTIL] = till, probe_till
  if now >= till + hold and (s.rest[PROBER] == '' or now >= probe_till + hold) then
    enter(s, 0)
    changed = true
  end
  return changed
end

-- Whether the state has changed.
local function add(s, more, failed)
  if more == 0 then return false end
  s.calls, s.failures = s.calls + more, s.failures + failed
  if s.calls >= minimum and s.failures * 1e9 >= rate * s.calls then enter(s, now + open) end
  return true
end

local is_changed, is_new, exceptions = false, false, {''}
for _, i in ipairs(slow) do
  local at, s = 2 * i - 1, read(stored[i])
  local changed = pass(s)
  if s.newest ~= OPEN and s.newest ~= index then roll(s) end
  if told[at] == s.epoch then
    if s.newest == OPEN then
      changed = hear(s, told[at + 1]) or changed
    else
      changed = add(s, counts[at], counts[at + 1]) or changed
    end
  end
  if changed then
    written[n + 1], written[n + 2] = names[i], write(s)
    n = n + 2
    is_changed, is_new = true, is_new or not stored[i]
  end
  local which, left = phase(s)
  counts[at], counts[at + 1] = s.calls, s.failures
  if which > 0 or told[at] ~= s.epoch then
    exceptions[#exceptions + 1] = pack('<I2I6I6', i, s.epoch, which + 8 * left)
  end
end

-- A state that comes removes those that are as good as none.
if is_new then
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local s = read(all[i + 1])
    if math.max(s.rest[TILL], s.rest[PROBE_UNTIL], s.newest * width) + life < now then
      redis.call('HDEL', KEYS[2], all[i])
    end
  end
end
exceptions[1] = reply()
if is_changed then redis.call('PEXPIRE', KEYS[2], life) end
return table.concat(exceptions)
