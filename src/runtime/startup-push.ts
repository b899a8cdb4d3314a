import { ConfigPusher } from "../config/config-pusher.ts";
import type { PushOutcome } from "../config/push.ts";
import { type Backoff, backoffMs } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { isGenApiError, toError } from "../core/errors.ts";
import { Waiters } from "../core/waiters.ts";
import type { GatewaySession } from "../node/gateway-session.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { functionsOf } from "./modules.ts";
import { type ResolvedServiceNodeOptions, servicesOf } from "./service-node-options.ts";

const pushed = telemetryEvent("gateway.push");
const failed = telemetryEvent("gateway.push.exception");

const backoff: Backoff = { firstMs: 500, maxMs: 30_000 };

/** One pusher for each of a node's services. */
export function pushersOf(options: ResolvedServiceNodeOptions): readonly ConfigPusher[] {
  const { configVersion, pull } = options;
  const functions = functionsOf(options);
  return servicesOf(options).map(
    (service) =>
      new ConfigPusher({
        service,
        functions: functions.filter((config) => config.service === service),
        ...(configVersion === undefined ? {} : { configVersion }),
        ...(pull === undefined ? {} : { pull }),
      }),
  );
}

/**
 * Pushes a node's functions to every gateway that lets it in, until it has them; where the node does not push by itself,
 * to those that come after its first push by hand.
 */
export class StartupPush {
  readonly #node: string;
  readonly #pushers: readonly ConfigPusher[];
  #isOn: boolean;
  readonly #clock: Clock;
  /** The timers of pushes that are tried again. */
  readonly #retries = new Map<GatewaySession, unknown>();
  /** The gateways, each with the services that it is still to be told of. */
  readonly #untold = new Map<GatewaySession, Set<ConfigPusher>>();
  readonly #waiters = new Waiters();
  #isStopped = false;

  /** @param isOn whether gateways are told before the node's first push by hand */
  constructor(node: string, pushers: readonly ConfigPusher[], isOn: boolean, clock: Clock) {
    this.#node = node;
    this.#pushers = pushers;
    this.#isOn = isOn;
    this.#clock = clock;
  }

  /** Resolves when a gateway has the functions. */
  async known(): Promise<void> {
    const isTold = [...this.#untold.values()].some(({ size }) => size === 0);
    if (!isTold) await this.#waiters.wait();
  }

  gatewayUp(session: GatewaySession): void {
    const pushers = this.#isOn ? this.#pushers : [];
    this.#untold.set(session, new Set(pushers));
    if (pushers.length === 0) this.#waiters.resolveAll();
    else void this.#pushAll(session, 1);
  }

  gatewayDown(session: GatewaySession): void {
    this.#untold.delete(session);
    this.#cancelRetry(session);
  }

  /** Pushes one service to one gateway by hand. @throws what the gateway refused it with */
  async push(
    pusher: ConfigPusher,
    session: GatewaySession,
    options?: { readonly force?: boolean },
  ): Promise<PushOutcome> {
    this.#isOn = true;
    return this.#push(pusher, session, options);
  }

  /** Pushes nothing more by itself. */
  stop(): void {
    this.#isStopped = true;
    for (const session of [...this.#retries.keys()]) this.#cancelRetry(session);
  }

  /** Whoever waits for a gateway waits in vain. */
  close(error: Error): void {
    this.stop();
    this.#waiters.rejectAll(error);
  }

  async #push(
    pusher: ConfigPusher,
    session: GatewaySession,
    options?: { readonly force?: boolean },
  ): Promise<PushOutcome> {
    const outcome = await pusher.push((name, body) => session.ask(name, body), options);
    const isAccepted = outcome.outcome === "accepted";
    const refused = isAccepted ? outcome.refused : [];
    if (pushed.active) {
      pushed.emit(
        { accepted: isAccepted ? outcome.accepted : 0, refused: refused.length },
        {
          node: this.#node,
          gateway: session.gateway ?? "",
          service: pusher.service,
          skipped: !isAccepted,
          faults: refused.flatMap(({ requestType, faults }) => faults.map((fault) => `${requestType}: ${fault}`)),
        },
      );
    }
    if (!isRefused(outcome)) this.#told(session, pusher);
    return outcome;
  }

  async #pushAll(session: GatewaySession, attempt: number): Promise<void> {
    this.#cancelRetry(session);
    let hasFailed = false;
    for (const pusher of this.#pushers) {
      if (this.#isStopped) return;
      if (!(await this.#tryPush(pusher, session))) hasFailed = true;
    }
    if (!hasFailed || !session.isUp || this.#isStopped) return;
    const retry = () => void this.#pushAll(session, attempt + 1);
    this.#retries.set(session, this.#clock.setTimeout(retry, backoffMs(backoff, attempt, Math.random())));
  }

  /** @returns whether the gateway has decided: what it refused for what it is, it would refuse again */
  async #tryPush(pusher: ConfigPusher, session: GatewaySession): Promise<boolean> {
    try {
      await this.#push(pusher, session);
      return true;
    } catch (thrown) {
      const error = toError(thrown);
      const { service } = pusher;
      const metadata = { node: this.#node, gateway: session.gateway ?? "", service, error };
      failed.emit({ system_time: this.#clock.systemTime() }, metadata);
      return isGenApiError(thrown) && (thrown.code === "permission_denied" || thrown.code === "invalid_request");
    }
  }

  /** The gateway has this service's functions. */
  #told(session: GatewaySession, pusher: ConfigPusher): void {
    const untold = this.#untold.get(session);
    untold?.delete(pusher);
    if (untold?.size === 0) this.#waiters.resolveAll();
  }

  #cancelRetry(session: GatewaySession): void {
    const timer = this.#retries.get(session);
    if (timer !== undefined) this.#clock.clearTimeout(timer);
    this.#retries.delete(session);
  }
}

/** Not one of them was right: the gateway knows nothing of this service. */
function isRefused(outcome: PushOutcome): boolean {
  return outcome.outcome === "accepted" && outcome.accepted === 0 && outcome.refused.length > 0;
}
