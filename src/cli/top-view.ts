import type { Health } from "../diagnostics/health.ts";
import type { Statistics } from "../diagnostics/statistics.ts";
import { bytes, duration, number, paint, plain, state } from "./text.ts";
import { poolsView } from "./views.ts";

/** The content of the screen of `top`: the current state of the gateway, and changes since the last reading. */
export interface TopReading {
  readonly health: Health;
  readonly statistics: Statistics;
}

/**
 * The screen of `top`.
 * @param before the last reading; null at first, when there are no rates
 * @param status the current state of the gateway
 */
export function topView(
  { health, statistics }: TopReading,
  before: TopReading | null,
  status: string = health.status,
): string {
  const { gateway, uptimeMs, requests, streams, connections, nodes, eventLoop, memory, functions, restarts } =
    statistics;
  const was = before?.statistics;
  const isSame = was !== undefined && was.startedAt === statistics.startedAt && uptimeMs > was.uptimeMs;
  const seconds = isSame ? (uptimeMs - was.uptimeMs) / 1_000 : uptimeMs / 1_000;
  const rate = (now: number, then: number | undefined) => `${number((now - (isSame ? (then ?? 0) : 0)) / seconds)}/s`;
  const active = eventLoop.activeMs - (isSame ? was.eventLoop.activeMs : 0);
  const idle = eventLoop.idleMs - (isSame ? was.eventLoop.idleMs : 0);
  const busy = active + idle > 0 ? Math.round((100 * active) / (active + idle)) : 0;
  const failed = requests.total - requests.succeeded;
  const failedBefore = was === undefined ? undefined : was.requests.total - was.requests.succeeded;
  const codes = Object.entries(requests.failed)
    .sort(([, one], [, other]) => other - one)
    .map(([code, count]) => `${plain(code)} ${number(count)}`);
  return [
    `${paint("bold", plain(gateway))}  ${state(status)}  up ${duration(uptimeMs)}`,
    "",
    row(
      "requests",
      `${rate(requests.total, was?.requests.total)}`,
      `${number(requests.total)} in all`,
      `${number(requests.inFlight)} in flight`,
    ),
    row("failed", rate(failed, failedBefore), `${number(failed)} in all`, codes.join(", ")),
    row("connections", number(connections.open), `${number(connections.opened)} in all`),
    row(
      "streams",
      number(streams.open),
      `${number(streams.started)} in all`,
      streams.detached > 0 ? `${number(streams.detached)} detached` : "",
    ),
    row("event loop", `${busy} % busy`, `late p99 ${eventLoop.delayMs.p99} ms`, `longest ${eventLoop.delayMs.max} ms`),
    row("memory", bytes(memory.rss), `heap ${bytes(memory.heapUsed)}`),
    row(
      "nodes",
      `${nodes.up} up`,
      nodes.leaving > 0 ? `${nodes.leaving} leaving` : "",
      nodes.down > 0 ? paint("red", `${nodes.down} down`) : "",
    ),
    row("functions", number(functions)),
    row("restarts", restarts === 0 ? "0" : paint("yellow", number(restarts))),
    "",
    poolsView(statistics.pools),
    ...(health.reasons.length === 0
      ? []
      : ["", ...health.reasons.map(({ message }) => paint("yellow", plain(message)))]),
  ].join("\n");
}

function row(title: string, ...texts: readonly string[]): string {
  return `${paint("dim", title.padEnd(12))} ${texts.filter((text) => text !== "").join(", ")}`;
}
