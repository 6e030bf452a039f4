import { Link, type To } from "react-router";

import { levelOf, type Thresholds } from "../services/thresholds";
import { ageOf, LEVEL_TONE } from "../services/words";
import { age, moment, number, secondsSince } from "../shared/format";
import { Drawer } from "../shared/Drawer";
import { EmptyState, ErrorWithRetry, MockNotice, Skeleton, StaleBadge } from "../shared/states";
import { Badge, Status, StatusGlyph } from "../shared/StatusGlyph";
import { Meter, TableScroll } from "../shared/table";
import { useNode } from "./api";
import { Events } from "./Events";
import type { NodeCondition, NodeDetail, Pod } from "./types";
import { memory, NODE_TONE, podTone, readiness, trouble } from "./words";

export interface NodeDrawerProps {
  /** undefined keeps the drawer shut */
  readonly node: string | undefined;
  readonly onClose: () => void;
  readonly thresholds: Thresholds | undefined;
  readonly hrefOfPod: (pod: Pod) => To;
  /** the table of all pods of a node */
  readonly hrefOfPods: (node: string) => To;
  readonly nowMs: number;
}

/** Everything that is known of one node. */
export function NodeDrawer({ node, onClose, ...rest }: NodeDrawerProps) {
  return (
    <Drawer open={node !== undefined} onClose={onClose} wide title={node ?? ""} subtitle="Node">
      {node === undefined ? null : <Loaded key={node} node={node} {...rest} />}
    </Drawer>
  );
}

function Loaded({ node, nowMs, ...rest }: Omit<NodeDrawerProps, "onClose"> & { readonly node: string }) {
  const query = useNode(node);
  if (!query.data) {
    return query.isError ? (
      <ErrorWithRetry what="The node" error={query.error} onRetry={() => void query.refetch()} retrying={query.isFetching} />
    ) : (
      <Skeleton label="Loading the node" lines={8} />
    );
  }
  return (
    <>
      <StaleBadge
        stale={query.isError || query.data.stale}
        ageSeconds={ageOf(query.data, query.dataUpdatedAt, nowMs)}
        reason={query.isError ? query.error.message : "The cluster does not answer."}
      />
      {query.data.source === "mock" ? <MockNotice what="Everything" /> : null}
      <NodeDetails detail={query.data} nowMs={nowMs} {...rest} />
    </>
  );
}

/** A condition is bad when it says that the node is not ready, or that something else is the matter. */
function bad({ type, status }: NodeCondition): boolean {
  return type === "Ready" ? status !== "True" : status !== "False";
}

const PODS_SHOWN = 20;

export function NodeDetails({
  detail,
  thresholds,
  hrefOfPod,
  hrefOfPods,
  nowMs,
}: Omit<NodeDrawerProps, "onClose" | "node"> & { readonly detail: NodeDetail }) {
  const { node, labels, pods, events, eventsProblem } = detail;
  return (
    <>
      <dl className="facts">
        <dt>Status</dt>
        <dd className="kubernetes-inline">
          <Status tone={NODE_TONE[node.status]}>{node.status}</Status>
          {node.schedulable === false ? <Badge tone="warn">cordoned</Badge> : null}
        </dd>
        <dt>Roles</dt>
        <dd>{node.roles.join(", ") || "–"}</dd>
        {(["cpu", "memory", "disk"] as const).map((kind) => {
          const value = node.usage[`${kind}Percent`];
          return [
            <dt key={`${kind} name`}>{kind === "cpu" ? "CPU" : kind === "memory" ? "Memory" : "Disk"}</dt>,
            <dd key={kind}>
              <Meter value={value} tone={LEVEL_TONE[levelOf(value, thresholds?.[kind])]} label={kind} />
            </dd>,
          ];
        })}
        <dt>Pods</dt>
        <dd>
          {number(node.usage.podsCount)} of {number(node.allocatable.pods)}
        </dd>
        <dt>Allocatable</dt>
        <dd>
          {node.allocatable.cpu} CPU, {memory(node.allocatable.memory)}
        </dd>
        <dt>Capacity</dt>
        <dd>
          {node.capacity.cpu} CPU, {memory(node.capacity.memory)}
        </dd>
        <dt>Kubelet</dt>
        <dd>{node.version}</dd>
        <dt>System</dt>
        <dd>
          {node.os}, {node.containerRuntime}
        </dd>
        <dt>Created</dt>
        <dd>
          {moment(node.createdAt, nowMs)}, {age(secondsSince(node.createdAt, nowMs))} ago
        </dd>
      </dl>
      <section aria-labelledby="node-conditions">
        <h3 id="node-conditions">Conditions</h3>
        <ul className="kubernetes-events">
          {node.conditions.map((condition) => (
            <li key={condition.type} data-type={bad(condition) ? "Warning" : "Normal"}>
              <StatusGlyph tone={bad(condition) ? "bad" : "good"} label={bad(condition) ? "bad" : "good"} />
              <div>
                <p>
                  <strong>{condition.type}</strong> {condition.status}
                  <span className="dim kubernetes-events-when">since {moment(condition.lastTransition, nowMs)}</span>
                </p>
                <p>
                  {condition.reason}
                  {condition.message ? `: ${condition.message}` : ""}
                </p>
              </div>
            </li>
          ))}
        </ul>
      </section>
      <section aria-labelledby="node-events">
        <h3 id="node-events">Events</h3>
        <Events events={events} problem={eventsProblem} nowMs={nowMs} />
      </section>
      <section aria-labelledby="node-pods">
        <h3 id="node-pods">Pods</h3>
        {pods.length === 0 ? (
          <EmptyState title="No pods run here" compact />
        ) : (
          <>
            <TableScroll label="Pods of the node">
              <table className="table kubernetes-table">
                <caption className="visually-hidden">Pods of the node</caption>
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">Namespace</th>
                    <th scope="col">Status</th>
                    <th scope="col">Ready</th>
                    <th scope="col">Restarts</th>
                  </tr>
                </thead>
                <tbody>
                  {pods.slice(0, PODS_SHOWN).map((pod) => (
                    <tr key={`${pod.namespace}/${pod.name}`}>
                      <th scope="row">
                        <Link to={hrefOfPod(pod)}>{pod.name}</Link>
                      </th>
                      <td>{pod.namespace}</td>
                      <td>
                        <Status tone={podTone(pod)}>{trouble(pod) ?? pod.status}</Status>
                      </td>
                      <td>{readiness(pod.containers)}</td>
                      <td>{number(pod.restarts)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </TableScroll>
            <p className="kubernetes-more">
              <Link to={hrefOfPods(node.name)}>All {pods.length} pods of this node in the table</Link>
            </p>
          </>
        )}
      </section>
      <section aria-labelledby="node-labels">
        <h3 id="node-labels">Labels</h3>
        <ul className="kubernetes-labels">
          {Object.entries(labels).map(([key, value]) => (
            <li key={key} className="mono">
              <span className="dim">{key}=</span>
              {value}
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}
