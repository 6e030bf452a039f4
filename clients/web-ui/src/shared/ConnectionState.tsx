import { dataAge } from "../live/data";
import { useDaemonName, useLive } from "../live/useLive";
import { age } from "./format";
import { useNow } from "./hooks";
import { StaleBadge } from "./states";
import { Badge, StatusGlyph } from "./StatusGlyph";

/** The short form for the top bar: live, connecting, lost with the age of the data. */
export function ConnectionState() {
  const live = useLive((data) => data);
  const daemon = useDaemonName();
  const now = useNow();
  if (!daemon) return <Badge tone="plain">no daemon</Badge>;
  if (!live || (live.link === "connecting" && !live.loaded)) return <Badge tone="info">connecting</Badge>;
  if (live.link === "lost" || live.connection === "lost") return <Badge tone="bad">lost, {age(dataAge(live, now))} old</Badge>;
  if (live.connection === "joining") return <Badge tone="warn">joining</Badge>;
  return (
    <span title={`${live.daemon}: frames arrive`} data-testid="live">
      <Badge tone="good">live</Badge>
    </span>
  );
}

/** The bar across the page that says that what is shown is not live, how old it is, and why. */
export function ConnectionBar() {
  const live = useLive((data) => data);
  const now = useNow();
  if (!live || (live.link === "open" && live.connection === "live") || (live.link === "connecting" && !live.loaded)) return null;
  const seconds = dataAge(live, now);
  const gone = live.link === "lost" || live.connection === "lost";
  const who = live.link === "lost" ? "Connection to the gateway lost" : gone ? `Connection to ${live.daemon} lost` : `Joining ${live.daemon}`;
  return (
    <div className="lost" data-kind={gone ? "lost" : "joining"} data-testid="connection-lost">
      <StatusGlyph tone={gone ? "bad" : "warn"} />
      {/* The age grows every second; only the words before it are worth announcing. */}
      <span role="alert">{who},</span>
      <span>
        {live.loaded ? `data ${age(seconds)} old` : "no data yet"}
        {live.reason ? `: ${live.reason}` : ""}. Trying again.
      </span>
    </div>
  );
}

/** Beside the heading of live data: how old it is, while it is not live. */
export function LiveStale() {
  const live = useLive((data) => data);
  const now = useNow();
  if (!live?.loaded || (live.link === "open" && live.connection === "live")) return null;
  return <StaleBadge stale ageSeconds={dataAge(live, now)} reason={live.reason} />;
}
