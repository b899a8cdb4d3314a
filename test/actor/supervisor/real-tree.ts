import {
  type ActorRef,
  type ChildSpec,
  fromDynamicSupervisor,
  fromResource,
  fromSupervisor,
  isGenApiError,
  type Logic,
  type System,
  startSystem,
} from "../../../src/otp.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { type Spec, shutdownMs } from "./otp-model.ts";

/** The real system, by the entry that hosts use, built from the same specs, with every worker's start and end noted. */
export class RealTree {
  readonly clock = new SimulatedClock();
  readonly log: string[] = [];
  readonly failing = new Map<string, number>();
  readonly system: System;
  closed: string | undefined;

  readonly #workers = { quick: this.#worker(false), stubborn: this.#worker(true) };

  constructor(spec: Spec) {
    const { strategy, intensity, autoShutdown } = spec;
    const children = spec.children.map((child) => this.childSpec(child));
    this.system = startSystem({ name: spec.id, clock: this.clock, strategy, intensity, autoShutdown, children });
    void this.system.closed.then(({ reason }) => {
      this.closed = reason;
    });
  }

  childSpec(spec: Spec): ChildSpec {
    const { id, restart, significant } = spec;
    const graceful = spec.kind === "worker" ? shutdownMs : "infinity";
    return {
      id,
      name: id,
      restart,
      significant,
      shutdown: spec.shutdown === "time" ? graceful : "brutal_kill",
      logic: this.#logic(spec),
    };
  }

  ref(id: string): ActorRef {
    const ref = id === this.system.name ? this.system.root : this.system.whereis(id);
    if (ref === undefined) throw new Error(`${id} is not alive`);
    return ref;
  }

  #logic(spec: Spec): Logic {
    const { strategy, intensity, autoShutdown, maxChildren } = spec;
    if (spec.kind === "worker") return spec.stubborn ? this.#workers.stubborn : this.#workers.quick;
    if (spec.kind === "dynamic") return fromDynamicSupervisor({ intensity, maxChildren });
    const children = spec.children.map((child) => this.childSpec(child));
    return fromSupervisor({ strategy, intensity, autoShutdown, children });
  }

  #worker(stubborn: boolean) {
    return fromResource<undefined, { type: string }>(({ self, finish, clock }) => {
      const { id } = self;
      const failures = this.failing.get(id) ?? 0;
      this.failing.set(id, Math.max(0, failures - 1));
      if (failures > 0) throw new Error(`${id} does not start`);
      this.log.push(`+${id}`);
      // A resource that is forgotten shows as a timer that is left.
      const held = clock.setTimeout(() => undefined, 1e12);
      return {
        close: () => {
          clock.clearTimeout(held);
          this.log.push(`-${id}`);
        },
        receive(event) {
          if (event.type === "finish") finish();
          if (event.type === "crash") throw new Error(`${id} crashed`);
        },
        ...(stubborn ? { shutdown: () => new Promise<void>(() => undefined) } : {}),
      };
    });
  }
}

/** "ok", or the code that a request was refused with. */
export async function codeOf(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => "ok",
    (error) => (isGenApiError(error) ? error.code : String(error)),
  );
}
