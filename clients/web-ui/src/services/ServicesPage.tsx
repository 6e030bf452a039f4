import "./services.css";

import { useLocation, useNavigate, useParams } from "react-router";

import { Button } from "../shared/Button";
import { count, timeOfDay } from "../shared/format";
import { useNow } from "../shared/hooks";
import { Panel } from "../shared/Panel";
import { EmptyState, ErrorWithRetry, MockNotice, Skeleton, StaleBadge } from "../shared/states";
import { Badge } from "../shared/StatusGlyph";
import { useCatalogue, useServicesHealth } from "./api";
import { MetricChart } from "./MetricChart";
import { ServiceCard } from "./ServiceCard";
import { ServiceDrawer } from "./ServiceDrawer";
import { ConnectionLegend, ServiceTopologyMap } from "./ServiceTopologyMap";
import type { ServiceHealth, ServiceStatus } from "./types";
import { ageOf, STATUS_TONE } from "./words";

const STATUSES: readonly ServiceStatus[] = ["unhealthy", "degraded", "healthy"];

/** Services: who calls whom, and how each of them is. */
export default function ServicesPage() {
  const { name } = useParams();
  const { search } = useLocation();
  const navigate = useNavigate();
  const nowMs = useNow();
  const catalogue = useCatalogue();
  const health = useServicesHealth();

  const nodes = catalogue.data?.nodes ?? [];
  const connections = catalogue.data?.connections ?? [];
  const thresholds = catalogue.data?.thresholds;
  const services = health.data?.services ?? [];
  const byName = new Map(services.map((service) => [service.name, service]));
  const hrefOf = (service: string) => ({ pathname: `/services/${encodeURIComponent(service)}`, search });
  const failed = catalogue.error ?? health.error;
  const missing = !catalogue.data || !health.data;
  const retry = () => {
    if (catalogue.isError || !catalogue.data) void catalogue.refetch();
    void health.refetch();
  };
  const stale = health.data !== undefined && (health.data.stale || health.isError);

  return (
    <div className="services-page">
      <header className="services-head">
        <h1>Services</h1>
        {health.data ? <Summary services={services} /> : null}
        <div className="services-head-aside">
          <StaleBadge
            stale={stale}
            ageSeconds={health.data ? ageOf(health.data, health.dataUpdatedAt, nowMs) : null}
            reason={health.isError ? health.error.message : "The metrics server does not answer."}
          />
          {health.data ? <span className="dim">as of {timeOfDay(health.data.timestamp)}</span> : null}
          <Button look="quiet" busy={health.isFetching} onClick={retry}>
            Refresh
          </Button>
        </div>
      </header>
      {health.data?.source === "mock" ? <MockNotice what="Every figure" /> : null}
      {missing && failed ? (
        <Panel title="Services">
          <ErrorWithRetry
            what="Services"
            error={failed}
            onRetry={retry}
            retrying={health.isFetching || catalogue.isFetching}
          />
        </Panel>
      ) : missing ? (
        <>
          <Panel title="Topology">
            <Skeleton label="Loading the topology" lines={4} shape="block" />
          </Panel>
          <div className="services-cards">
            {[1, 2, 3, 4, 5].map((key) => (
              <div key={key} className="services-card">
                <Skeleton label="Loading a service" lines={5} />
              </div>
            ))}
          </div>
        </>
      ) : nodes.length === 0 ? (
        <Panel title="Services">
          <EmptyState title="The catalogue has no services">
            Name them in a file and start operator-web with --catalogue FILE.
          </EmptyState>
        </Panel>
      ) : (
        <>
          <Panel title={catalogue.data.title} aside={<ConnectionLegend connections={connections} />}>
            <ServiceTopologyMap
              nodes={nodes}
              connections={connections}
              services={services}
              hrefOf={hrefOf}
              selected={name}
            />
          </Panel>
          {health.data.problems?.length ? <Problems problems={health.data.problems} /> : null}
          <section aria-label="Service cards" className="services-cards">
            {nodes.map((node) => (
              <ServiceCard
                key={node.name}
                node={node}
                service={byName.get(node.name)}
                thresholds={thresholds}
                href={hrefOf(node.name)}
                nowMs={nowMs}
                chart={(metric) => (
                  <MetricChart
                    service={node.name}
                    label={node.label}
                    metric={metric}
                    threshold={thresholds?.[metric]}
                  />
                )}
              />
            ))}
          </section>
        </>
      )}
      <ServiceDrawer
        name={missing ? undefined : name}
        nodes={nodes}
        connections={connections}
        services={services}
        thresholds={thresholds}
        hrefOf={hrefOf}
        onClose={() => void navigate({ pathname: "/services", search })}
        nowMs={nowMs}
      />
    </div>
  );
}

function Summary({ services }: { readonly services: readonly ServiceHealth[] }) {
  const counted = STATUSES.map((status) => ({ status, of: services.filter((each) => each.status === status).length }));
  return (
    <ul className="services-summary" aria-label={count(services.length, "service")}>
      {counted
        .filter(({ of }) => of > 0)
        .map(({ status, of }) => (
          <li key={status}>
            <Badge tone={STATUS_TONE[status]}>
              {of} {status}
            </Badge>
          </li>
        ))}
    </ul>
  );
}

function Problems({ problems }: { readonly problems: readonly { service: string; metric: string; message: string }[] }) {
  return (
    <Panel title="Queries that the metrics server refuses" tone="warn">
      <ul className="services-problems">
        {problems.map(({ service, metric, message }) => (
          <li key={`${service} ${metric}`}>
            <strong>
              {service}, {metric}
            </strong>
            : {message}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
