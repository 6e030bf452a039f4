import { fireEvent, render, screen } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { ApiFailure } from "./api";
import { Button } from "./Button";
import { age, byteSize, duration, milliseconds, number } from "./format";
import { EmptyState, ErrorWithRetry, MockNotice, Skeleton, StaleBadge } from "./states";
import { StatusGlyph, type Tone } from "./StatusGlyph";

describe("what stands in place of data", () => {
  it("tells an error with its hint, and tries again on request", () => {
    const retry = vi.fn();
    render(<ErrorWithRetry what="Nodes" error={new ApiFailure(503, "unavailable", "the API is down", "start it")} onRetry={retry} />);
    expect(screen.getByRole("alert")).toHaveTextContent("Nodes could not be loaded");
    expect(screen.getByRole("alert")).toHaveTextContent("the API is down");
    expect(screen.getByRole("alert")).toHaveTextContent("start it");
    fireEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(retry).toHaveBeenCalledOnce();
  });

  it("says how old stale data is, and nothing of fresh data", () => {
    const { rerender } = render(<StaleBadge stale ageSeconds={72} />);
    expect(screen.getByTestId("stale")).toHaveTextContent("stale, 1 min 12 s old");
    rerender(<StaleBadge stale={false} ageSeconds={72} />);
    expect(screen.queryByTestId("stale")).toBeNull();
  });

  it("names what is loading, what is empty and what is made up", () => {
    render(
      <>
        <Skeleton label="Loading nodes" />
        <EmptyState title="No nodes" />
        <MockNotice what="Every node" />
      </>,
    );
    expect(screen.getByRole("status", { name: "Loading nodes" })).toBeInTheDocument();
    expect(screen.getByText("No nodes")).toBeVisible();
    expect(screen.getByTestId("mock")).toHaveTextContent("Mock data");
  });

  it("has a shape of its own for each tone", () => {
    const tones: Tone[] = ["good", "warn", "bad", "info", "fault", "plain"];
    const shapes = tones.map((tone) => {
      const { container } = render(<StatusGlyph tone={tone} />);
      return container.querySelector("svg")?.dataset["shape"];
    });
    expect(new Set(shapes).size).toBe(tones.length);
  });

  it("ignores a second press while a command is under way, and keeps the focus", () => {
    const press = vi.fn();
    render(
      <Button busy onClick={press}>
        Next
      </Button>,
    );
    const button = screen.getByRole("button");
    button.focus();
    fireEvent.click(button);
    expect(press).not.toHaveBeenCalled();
    expect(button).toHaveFocus();
    expect(button).not.toBeDisabled();
  });
});

describe("how figures are written", () => {
  it("as in the terminal viewer", () => {
    expect([number(2001.4), number(3.25), number(0), number(null)]).toEqual(["2,001", "3.3", "0", "–"]);
    expect([duration(0.031), duration(0.2), duration(12), duration(185), duration(7800), duration(100000)]).toEqual([
      "31 ms",
      "0.2 s",
      "12 s",
      "3 min 05 s",
      "2 h 10 min",
      "1 d 3 h",
    ]);
    expect([age(9.9), age(12.8)]).toEqual(["9 s", "12 s"]);
    expect([milliseconds(0.314), milliseconds(13.74), milliseconds(950)]).toEqual(["0.31 ms", "13.7 ms", "950 ms"]);
    expect([byteSize(312), byteSize(4.2 * 2 ** 20)]).toEqual(["312 B", "4.2 MiB"]);
  });
});
