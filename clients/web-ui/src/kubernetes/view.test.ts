import { expect, test } from "vitest";

import { nextSort, PODS_USUAL, podsQuery, podsView, POD_SORTS, withNodes, withPods, nodesView } from "./view";
import { memory } from "./words";

const query = (text: string) => new URLSearchParams(text);

test("[US-12] what is shown stands in the address, and what is usual is left out", () => {
  const view = { ...PODS_USUAL, namespace: "staging", status: "Failed", search: "api", sort: "age", order: "desc", page: 3 } as const;
  const address = withPods(query(""), view);
  expect(address.toString()).toBe("namespace=staging&status=Failed&search=api&sort=age&order=desc&page=3");
  expect(podsView(address)).toEqual(view);
  expect(withPods(address, { ...PODS_USUAL, page: 1 }).toString()).toBe("");
});

test("[US-12] a change of filter, search or sort goes back to the first page", () => {
  expect(withPods(query("page=7"), { namespace: "staging" }).get("page")).toBeNull();
  expect(withPods(query("namespace=a"), { page: 2 }).toString()).toBe("namespace=a&page=2");
});

test("[US-12] nonsense in an address counts as not said", () => {
  expect(podsView(query("status=Happy&sort=colour&order=up&page=-3&size=7&page=x"))).toEqual(PODS_USUAL);
});

test("[US-11] the nodes' filter and the pods' do not disturb each other", () => {
  const both = withNodes(withPods(query(""), { status: "Failed" }), { status: "NotReady" });
  expect([podsView(both).status, nodesView(both).status]).toEqual(["Failed", "NotReady"]);
});

test("[US-13] the gateway is asked for one page, with trimmed search", () => {
  const asked = podsQuery({ ...PODS_USUAL, search: " api ", page: 4, size: 25 });
  expect(asked.toString()).toBe("sort=name&order=asc&limit=25&offset=75&search=api");
});

test("[US-12] every column sorts up first, then down", () => {
  for (const column of POD_SORTS) {
    const up = nextSort({ sort: column === "name" ? "age" : "name", order: "desc" }, column);
    expect(up).toEqual({ sort: column, order: "asc" });
    expect(nextSort(up, column).order).toBe("desc");
  }
});

test("[US-11] memory is told in units that people read", () => {
  expect([memory("32086508Ki"), memory("1Gi"), memory("1073741824"), memory("odd")]).toEqual(["30.6 GiB", "1.0 GiB", "1.0 GiB", "odd"]);
});
