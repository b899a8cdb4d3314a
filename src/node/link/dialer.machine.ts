import { assign, setup } from "xstate";
import { withStatus } from "../../actor/inspection/format-status.ts";
import { withoutSecrets } from "../../core/net/without-secrets.ts";
import { type Backoff, backoffMs } from "../../core/time/backoff.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { type DialInput, type LinkEvent, outgoingLinkActor } from "./outgoing-link.ts";

const retryEvent = telemetryEvent("node.link.retry");

/** How long a dialer waits before it dials again. */
export const dialBackoff: Backoff = { firstMs: 100, maxMs: 10_000 };

interface DialerContext extends DialInput {
  /** Attempts since the gateway last let the node in. */
  readonly failures: number;
  readonly delayMs: number;
  readonly reason: string;
}

const machine = setup({
  types: { input: {} as DialInput, context: {} as DialerContext, events: {} as LinkEvent },
  actors: { outgoingLink: outgoingLinkActor },
  delays: { backoff: ({ context }) => context.delayMs },
  guards: { isLeaving: ({ context }) => context.scope.isLeaving?.() === true },
  actions: {
    noteLoss: assign(({ context }, { reason, wasProven }: { reason: string; wasProven: boolean }) => {
      const failures = wasProven ? 1 : context.failures + 1;
      return { failures, reason, delayMs: backoffMs(dialBackoff, failures, context.scope.random()) };
    }),
    reportLoss({ context: { scope, gateway, failures, delayMs, reason } }) {
      retryEvent.emit({ attempt: failures, delay_ms: delayMs }, { node: scope.name, gateway_url: gateway, reason });
    },
  },
}).createMachine({
  id: "dialer",
  context: ({ input }) => ({ ...input, failures: 0, delayMs: 0, reason: "" }),
  initial: "linked",
  states: {
    linked: {
      invoke: { id: "link", src: "outgoingLink", input: ({ context }) => context },
      initial: "dialing",
      states: { dialing: { on: { "link.opened": "open" } }, open: {} },
      on: {
        "link.lost": [
          { guard: "isLeaving", target: "left" },
          {
            target: "waiting",
            actions: [
              { type: "noteLoss", params: ({ event: { reason, wasProven } }) => ({ reason, wasProven }) },
              "reportLoss",
            ],
          },
        ],
      },
    },
    waiting: { after: { backoff: [{ guard: "isLeaving", target: "left" }, { target: "linked" }] } },
    // Until the node has stopped.
    left: {},
  },
});

/**
 * Keeps a link to one gateway: dials, and whenever the link is lost waits and dials again. The wait grows with every
 * failure until the gateway has let the node in; merely accepting the socket does not count.
 *
 * ```
 * linked (dialing → open) ── lost ──▶ waiting ── after the backoff ──▶ linked
 *                               └────────┴── when the node takes its leave ──▶ left
 * ```
 */
export const dialerActor = withStatus(machine, ({ context: { gateway, failures, delayMs, reason } }) => ({
  gateway: withoutSecrets(gateway),
  failures,
  delayMs,
  reason,
}));
