import type { ReactNode } from "react";
import { Link, type To } from "react-router";

import { age, count, milliseconds, number, secondsSince } from "../shared/format";
import { Badge, StatusGlyph } from "../shared/StatusGlyph";
import { levelOf, type Thresholds } from "./thresholds";
import { type CatalogueNode, hasTraffic, type ServiceHealth } from "./types";
import { LEVEL_TONE, METRIC, STATUS_TONE } from "./words";

export interface ServiceCardProps {
  readonly node: CatalogueNode;
  readonly service: ServiceHealth | undefined;
  readonly thresholds: Thresholds | undefined;
  readonly href: To;
  readonly nowMs: number;
  /** the fifteen minutes of a metric; separate, since they come by themselves */
  readonly chart: (metric: "cpu" | "memory") => ReactNode;
}

const DAY_S = 24 * 3600;

/** One service now. Its border is yellow while its CPU is at or over the warning limit of the threshold table. */
export function ServiceCard({ node, service, thresholds, href, nowMs, chart }: ServiceCardProps) {
  const spike = ["warning", "critical"].includes(levelOf(service?.cpuPercent, thresholds?.cpu));
  const restartedS = secondsSince(service?.lastRestart, nowMs);
  const tone = service ? STATUS_TONE[service.status] : "plain";
  const traffic = hasTraffic(node);
  const noPods = service?.podCount === 0;
  return (
    <article
      className="services-card"
      data-service={node.name}
      data-status={service?.status ?? "unknown"}
      data-spike={spike ? "" : undefined}
      aria-labelledby={`services-card-${node.name}`}
    >
      <header>
        <h3 id={`services-card-${node.name}`}>
          <Link to={href}>{node.label}</Link>
        </h3>
        <span className={`status tone-${tone}`}>
          <StatusGlyph tone={tone} />
          {service?.status ?? "no figures"}
        </span>
      </header>
      <dl className="services-card-shares">
        {(["cpu", "memory"] as const).map((metric) => {
          const value = metric === "cpu" ? service?.cpuPercent : service?.memoryPercent;
          const level = levelOf(value, thresholds?.[metric]);
          return (
            <div key={metric}>
              <dt>{METRIC[metric].label}</dt>
              <dd>
                <span className="services-figure" data-level={level}>
                  {level === "warning" || level === "critical" ? (
                    <StatusGlyph tone={LEVEL_TONE[level]} label={level === "warning" ? "high:" : "critical:"} />
                  ) : null}
                  {METRIC[metric].format(value)}
                </span>
                {chart(metric)}
              </dd>
            </div>
          );
        })}
      </dl>
      <dl className="services-card-facts">
        {traffic ? (
          <>
            <div>
              <dt>Requests</dt>
              <dd>
                {number(service?.requestRate)}
                <small> req/s</small>
              </dd>
            </div>
            <div>
              <dt>p50</dt>
              <dd>{milliseconds(service?.latencyP50)}</dd>
            </div>
          </>
        ) : null}
        <div>
          <dt>Pods</dt>
          <dd>{noPods ? <Badge tone="bad">no pods</Badge> : number(service?.podCount)}</dd>
        </div>
      </dl>
      {spike || (restartedS !== null && restartedS >= 0 && restartedS < DAY_S) ? (
        <footer>
          {spike ? <Badge tone="warn">CPU spike</Badge> : null}
          {restartedS !== null && restartedS >= 0 && restartedS < DAY_S ? (
            <Badge tone="info" glyph={false}>
              restarted {age(restartedS)} ago
            </Badge>
          ) : null}
        </footer>
      ) : null}
      {noPods ? <span className="visually-hidden">{count(0, "pod")} running</span> : null}
    </article>
  );
}
