import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type Gateway, type GatewayOptions, type ServiceNodeOptions, startGenApi, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { afterEach } from "vitest";
import type { EventName, TelemetryMessage } from "../../src/telemetry/telemetry.ts";
import { urlOf } from "./gateway.ts";
import { connectClient } from "./phoenix-client.ts";
import { NodeProcess, type NodeProcessOptions } from "./processes/node-process.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const opened of open.splice(0).toReversed()) await opened[Symbol.asyncDispose]();
});

/** Closes it when the test ends, the last first. */
export function keep<Opened extends AsyncDisposable>(opened: Opened): Opened {
  open.push(opened);
  return opened;
}

/** A gateway for clients and, over a link, for nodes, until the end of the test. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  return keep(
    await startGenApi({
      logger: false,
      listen: { port: 0 },
      channels: [{ topic: "api:*", event: "api" }],
      cluster: link(),
      workerPool: { threads: 1 },
      ...options,
    }),
  );
}

/** Where nodes find a gateway that lets them in where its clients connect. */
export function nodeUrlOf(gateway: Gateway): string {
  return urlOf(gateway).replace("/socket", "/node");
}

/** A service node in this process, until the end of the test. It need not have reached a gateway yet. */
export async function startNode(gateways: readonly Gateway[], options: Omit<ServiceNodeOptions, "cluster">) {
  const cluster = link({ gateways: gateways.map(nodeUrlOf) });
  return keep(await startServiceNode({ logger: false, workerPool: { threads: 1 }, cluster, ...options }));
}

/**
 * A service node as a process of its own, until the end of the test, of which every gateway has the functions. Without
 * `servers`, over links to the gateways.
 */
export async function startNodeProcess(gateways: readonly Gateway[], options: NodeProcessOptions) {
  const pushed = gateways.map(({ name }) =>
    nextEvent("config.push", ({ metadata }) => metadata.gateway === name && metadata.node === options.name),
  );
  const node = keep(
    await NodeProcess.start(
      options.servers === undefined ? { gateways: gateways.map(nodeUrlOf), ...options } : options,
    ),
  );
  await Promise.all(pushed);
  return node;
}

/** A client of the service of `test/fixtures/cluster/service.js`, until the end of the test. */
export async function connect(url: string, service = "remote") {
  return keep(await connectClient(url, { service }));
}

/** Resolves with the first event of this name, from now on, that matches. */
export function nextEvent<Name extends EventName>(
  name: Name,
  matches: (message: TelemetryMessage<Name>) => boolean = () => true,
): Promise<TelemetryMessage<Name>> {
  return new Promise((resolve) => {
    const hear = (message: unknown) => {
      if (!matches(message as TelemetryMessage<Name>)) return;
      unsubscribe(`gen_api.${name}`, hear);
      resolve(message as TelemetryMessage<Name>);
    };
    subscribe(`gen_api.${name}`, hear);
  });
}
