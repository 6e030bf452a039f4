import { Link, type To } from "react-router";

import { age, milliseconds, moment, number, secondsSince } from "../shared/format";
import { Drawer } from "../shared/Drawer";
import { EmptyState } from "../shared/states";
import { Badge, Status, StatusGlyph } from "../shared/StatusGlyph";
import { MetricChart } from "./MetricChart";
import { levelOf, levelWord, type Threshold, type Thresholds } from "./thresholds";
import { type CatalogueNode, hasTraffic, type MetricName, type ServiceConnection, type ServiceHealth } from "./types";
import { CONNECTION_WORD, LEVEL_TONE, METRIC, perSecond, STATUS_TONE } from "./words";

export interface ServiceDrawerProps {
  /** the service's name as the address has it; undefined keeps the drawer shut */
  readonly name: string | undefined;
  readonly nodes: readonly CatalogueNode[];
  readonly connections: readonly ServiceConnection[];
  readonly services: readonly ServiceHealth[];
  readonly thresholds: Thresholds | undefined;
  readonly hrefOf: (name: string) => To;
  readonly onClose: () => void;
  readonly nowMs: number;
}

/** Everything that is known of one service. */
export function ServiceDrawer(props: ServiceDrawerProps) {
  const { name, nodes, services, onClose } = props;
  const node = nodes.find((each) => each.name === name);
  const service = services.find((each) => each.name === name);
  return (
    <Drawer
      open={name !== undefined}
      onClose={onClose}
      title={node?.label ?? name ?? ""}
      subtitle={node?.description ?? node?.name}
    >
      {node ? (
        <Details {...props} node={node} service={service} />
      ) : name === undefined ? null : (
        <EmptyState title={`There is no service ${name}`}>
          The catalogue has {nodes.map((each) => each.name).join(", ")}.
        </EmptyState>
      )}
    </Drawer>
  );
}

interface DetailsProps extends ServiceDrawerProps {
  readonly node: CatalogueNode;
  readonly service: ServiceHealth | undefined;
}

const METRICS: readonly MetricName[] = ["cpu", "memory", "requests", "latency"];

function figureOf(service: ServiceHealth | undefined, metric: MetricName): number | null | undefined {
  switch (metric) {
    case "cpu":
      return service?.cpuPercent;
    case "memory":
      return service?.memoryPercent;
    case "requests":
      return service?.requestRate;
    case "latency":
      return service?.latencyP50;
  }
}

function Details({ node, service, nodes, connections, thresholds, hrefOf, nowMs }: DetailsProps) {
  const label = new Map(nodes.map((each) => [each.name, each.label]));
  const traffic = hasTraffic(node);
  const charted = METRICS.filter((metric) => node.metrics.includes(metric) && (traffic || METRIC[metric].percent));
  const restartedS = secondsSince(service?.lastRestart, nowMs);
  return (
    <>
      <section className="services-verdict" data-status={service?.status ?? "unknown"} aria-label="Status">
        <Status tone={service ? STATUS_TONE[service.status] : "plain"}>{service?.status ?? "no figures"}</Status>
        {service?.reasons?.length ? (
          <ul>
            {service.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        ) : service ? (
          <p className="dim">Every figure is on the good side of its limits.</p>
        ) : (
          <p className="dim">The metrics server told nothing about it.</p>
        )}
      </section>
      <section aria-labelledby="service-charts">
        <h3 id="service-charts">Last 15 minutes</h3>
        <div className="services-charts">
          {charted.map((metric) => {
            const value = figureOf(service, metric);
            const level = levelOf(value, thresholds?.[metric]);
            return (
              <figure key={metric} className="services-metric">
                <figcaption>
                  <span className="dim">{METRIC[metric].label}</span>
                  <span className="services-figure" data-level={level}>
                    {level === "warning" || level === "critical" ? (
                      <StatusGlyph tone={LEVEL_TONE[level]} label={`${levelWord(level)}:`} />
                    ) : null}
                    {METRIC[metric].format(value)}
                  </span>
                </figcaption>
                <MetricChart service={node.name} label={node.label} metric={metric} threshold={thresholds?.[metric]} large />
                <Limits threshold={thresholds?.[metric]} format={METRIC[metric].format} />
              </figure>
            );
          })}
        </div>
      </section>
      <section aria-labelledby="service-facts">
        <h3 id="service-facts">Now</h3>
        <dl className="facts">
          <dt>Service</dt>
          <dd className="mono">{node.name}</dd>
          <dt>Pods</dt>
          <dd>{service?.podCount === 0 ? <Badge tone="bad">no pods</Badge> : number(service?.podCount)}</dd>
          {traffic && node.metrics.includes("requests") ? (
            <>
              <dt>Requests</dt>
              <dd>{perSecond(service?.requestRate)}</dd>
            </>
          ) : null}
          {traffic && node.metrics.includes("latency") ? (
            <>
              <dt>Latency, median</dt>
              <dd>{milliseconds(service?.latencyP50)}</dd>
            </>
          ) : null}
          <dt>Last restart</dt>
          <dd>
            {service?.lastRestart && restartedS !== null
              ? `${moment(service.lastRestart, nowMs)}, ${age(restartedS)} ago`
              : "none known"}
          </dd>
        </dl>
      </section>
      <section aria-labelledby="service-connections">
        <h3 id="service-connections">Connections</h3>
        <ul className="services-connections">
          {connections
            .filter(({ from, to }) => from === node.name || to === node.name)
            .map(({ from, to, type }) => {
              const other = from === node.name ? to : from;
              const health = service ? from === node.name : false;
              return (
                <li key={`${from} ${to} ${type}`} data-out={health ? "" : undefined}>
                  <span className="dim">{from === node.name ? "calls" : "called by"}</span>
                  <Link to={hrefOf(other)}>{label.get(other) ?? other}</Link>
                  <span className="services-kind" data-type={type}>
                    <svg viewBox="0 0 28 8" aria-hidden="true">
                      <path className="services-edge" data-type={type} d="M1 4H27" />
                    </svg>
                    {CONNECTION_WORD[type]}
                  </span>
                </li>
              );
            })}
        </ul>
      </section>
    </>
  );
}

function Limits({ threshold, format }: { readonly threshold: Threshold | undefined; readonly format: (value: number) => string }) {
  const said = [
    typeof threshold?.warning === "number" ? `high from ${format(threshold.warning)}` : "",
    typeof threshold?.critical === "number" ? `critical from ${format(threshold.critical)}` : "",
  ].filter(Boolean);
  return <p className="services-limits">{said.length ? said.join(", ") : "no limit set"}</p>;
}
