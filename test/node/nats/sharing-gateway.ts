import { systemClock } from "../../../src/core/time/clock.ts";
import { type NatsOptions, nats } from "../../../src/node/nats/nats.ts";
import type { GatewayEndpoint } from "../../../src/node/node-transport.ts";
import type { AcceptedPush } from "../../../src/sync/push/push.ts";
import type { SharedPushes, SharedPushesReceiver } from "../../../src/sync/push/shared-pushes.ts";
import { until } from "../../support/until.ts";
import { RecordingScope } from "./recording-scope.ts";

export const signingKey = "a secret of the gateways, 32 characters or more";

/** A push of so many functions, about 100 bytes each. */
export function pushOf(node: string, configVersion = "1.0.0", count = 1): AcceptedPush {
  const functions = Array.from({ length: count }, (_, index) => ({
    service: "users",
    requestType: `function_${index}`,
    mfa: "users.get",
    timeout: 5_000,
    argTypes: { id: "string" },
  }));
  return { service: "users", node, configVersion, functions, pull: null };
}

/** A gateway that keeps what other gateways share with it. */
export class SharingGateway implements SharedPushesReceiver, Disposable {
  readonly scope: RecordingScope;
  readonly endpoint: GatewayEndpoint;
  readonly pushes: SharedPushes;
  /** What was shared and not removed, by node. */
  readonly present = new Map<string, AcceptedPush>();
  /** Everything that was told, in order: `shared users@b 1.0.0`. */
  readonly told: string[] = [];
  /** How often all that was there has been told. */
  reads = 0;
  readonly refusals: { readonly key: string; readonly problem: string }[] = [];

  constructor(name: string, options: NatsOptions, clock = systemClock) {
    // A test that moves time says when repairs are due: without jitter.
    const jitter = clock === systemClock ? {} : { random: () => 0.5 };
    this.scope = Object.assign(new RecordingScope(name), { clock, ...jitter });
    this.endpoint = nats({ signingKey, ...options }).openGateway(this.scope);
    this.pushes = this.endpoint.sharedPushes as SharedPushes;
    this.pushes.watch(this);
  }

  shared(push: AcceptedPush): void {
    this.present.set(push.node, push);
    this.told.push(`shared ${push.node} ${push.configVersion}`);
  }

  removed(service: string, node: string): void {
    this.present.delete(node);
    this.told.push(`removed ${service} ${node}`);
  }

  refused(key: string, problem: string): void {
    this.refusals.push({ key, problem });
  }

  orphaned(service: string, node: string): void {
    this.told.push(`orphaned ${service} ${node}`);
  }

  read(): void {
    this.reads += 1;
  }

  unread(problem: string): void {
    this.told.push(`unread: ${problem}`);
  }

  /** Resolves when this push of the node is there. */
  has(node: string, configVersion: string): Promise<void> {
    return until(() => this.present.get(node)?.configVersion === configVersion);
  }

  [Symbol.dispose](): void {
    this.endpoint.close();
  }
}
