import { render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { DevOpsStep } from "./activity";
import { DevOpsStepList } from "./DevOpsStepList";

const steps: DevOpsStep[] = [
  { name: "build", status: "completed", startedAt: "2026-11-21T12:00:00Z", completedAt: "2026-11-21T12:00:12Z" },
  { name: "push", status: "running", startedAt: "2026-11-21T12:00:12Z" },
  { name: "migrate", status: "failed", error: "table is locked" },
  { name: "roll out", status: "pending" },
];
const now = Date.parse("2026-11-21T12:00:20Z");

describe("DevOpsStepList", () => {
  it("[US-06] shows the steps in order: check, spinner, cross, circle", () => {
    render(<DevOpsStepList steps={steps} now={now} />);
    const rows = screen.getAllByRole("listitem");
    expect(rows.map((row) => row.querySelector(".devops-step-name")?.textContent)).toEqual(["build", "push", "migrate", "roll out"]);
    expect(rows.map((row) => row.querySelector("svg")?.dataset["shape"])).toEqual(["check", "spinner", "cross", "circle"]);
    expect(rows.map((row) => within(row).getByRole("img").getAttribute("aria-label"))).toEqual(["done", "running", "failed", "waiting"]);
    expect(rows.map((row) => row.querySelector("svg")?.getAttribute("class"))).toEqual([
      "glyph tone-good",
      "glyph tone-info",
      "glyph tone-bad",
      "glyph tone-plain",
    ]);
  });

  it("[US-06] [defect-3] shows the error of a step that failed", () => {
    render(<DevOpsStepList steps={steps} now={now} />);
    expect(within(screen.getAllByRole("listitem")[2]!).getByText("table is locked")).toBeVisible();
  });

  it("[US-06] draws a glyph anew when its status changes, so that the change is animated", () => {
    const { rerender } = render(<DevOpsStepList steps={[{ name: "build", status: "running" }]} now={now} />);
    const before = document.querySelector(".devops-step-glyph");
    rerender(<DevOpsStepList steps={[{ name: "build", status: "completed" }]} now={now} />);
    expect(document.querySelector(".devops-step-glyph")).not.toBe(before);
  });

  it("tells how long each step took, or has taken", () => {
    render(<DevOpsStepList steps={steps} now={now} />);
    const [build, push] = screen.getAllByRole("listitem");
    expect(within(build!).getByText("12 s")).toBeInTheDocument();
    expect(within(push!).getByText("8.0 s")).toBeInTheDocument();
  });
});
