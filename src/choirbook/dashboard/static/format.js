// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (value) => whole.format(value);

/** A number with about three significant figures. */
export function figure(value) {
  if (value === 0) return "0";
  if (value >= 100) return whole.format(value);
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** [number, unit] of a duration in milliseconds; `most` is the longest that is told apart. */
export function duration(ms, most = Infinity) {
  if (ms === null || ms === undefined) return ["–", "ms"];
  const over = ms >= most ? "≥ " : "";
  if (ms >= 1000) return [over + figure(ms / 1000), "s"];
  return ms < 1 ? [figure(ms * 1000), "µs"] : [figure(ms), "ms"];
}

export const spelled = (ms, most) => (ms === null || ms === undefined ? "–" : duration(ms, most).join(" "));

/** [number, unit] of a size in bytes. */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  while (bytes >= 1024 && at < units.length - 1) {
    bytes /= 1024;
    at += 1;
  }
  return [at === 0 ? whole.format(bytes) : figure(bytes), units[at]];
}

export const sized = (bytes) => size(bytes).join(" ");

export const percent = (share) => (share === null ? "–" : (share * 100).toFixed(share > 0.9995 || share === 0 ? 0 : 1));

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export const time = (unix) => clock.format(unix * 1000);
export const date = (unix) => day.format(unix * 1000);

/** How long ago, in words. */
export function ago(unix, now = Date.now() / 1000) {
  const s = Math.max(0, now - unix);
  if (s < 60) return `${Math.round(s)} s ago`;
  if (s < 3600) return `${Math.round(s / 60)} min ago`;
  if (s < 86400) return `${Math.round(s / 3600)} h ago`;
  return `${count(s / 86400)} days ago`;
}

/** A length of time, in words. */
export const lasting = (s) => (s < 90 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`);

/** The part of a URI that tells documents apart. */
export const brief = (uri) => uri.replace(/^mcp:\/\/resources\//, "");

/** A part of a URI with its characters instead of their escapes, for people. */
export function readable(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
