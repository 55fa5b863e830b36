-- The generic cell rate algorithm. KEYS[1]: the time at which the next call would come at an even pace, as
-- "seconds:nanoseconds" of this server's clock. ARGV: nanoseconds between two calls, calls in one burst, calls now,
-- nanoseconds that these may wait, and the most that any call of this limit may wait.
-- Returns {1, nanoseconds to wait} or {0, nanoseconds until these calls would be permitted}.
-- Seconds and nanoseconds are kept apart, because a double does not hold nanoseconds since 1970.
local time = redis.call('TIME')
local now_s, now_n = tonumber(time[1]), tonumber(time[2]) * 1000
local interval, calls, may_wait = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local burst = interval * tonumber(ARGV[2])
local ahead = 0
local stored = redis.call('GET', KEYS[1])
if stored then
  local s, n = string.match(stored, '^(%d+):(%d+)$')
  if s then
    ahead = (tonumber(s) - now_s) * 1e9 + tonumber(n) - now_n
  end
  -- No more than a full burst and its queue: a clock that was set back, or a quota that became smaller.
  ahead = math.max(0, math.min(ahead, burst + tonumber(ARGV[5])))
end
ahead = ahead + interval * calls
local wait = ahead - burst
if wait > may_wait then
  return {0, wait}
end
local at = now_n + ahead
local value = string.format('%.0f:%.0f', now_s + math.floor(at / 1e9), at % 1e9)
redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', math.ceil(ahead / 1e6) + 1000))
return {1, math.max(wait, 0)}
