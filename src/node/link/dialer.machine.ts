import { assign, setup } from "xstate";
import { withStatus } from "../../actor/format-status.ts";
import { type Backoff, backoffMs } from "../../core/backoff.ts";
import { withoutSecrets } from "../../core/without-secrets.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import { type DialInput, type LinkEvent, outgoingLink } from "./outgoing-link.ts";

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
  actors: { outgoingLink },
  delays: { backoff: ({ context }) => context.delayMs },
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
        "link.lost": {
          target: "waiting",
          actions: [
            { type: "noteLoss", params: ({ event: { reason, wasProven } }) => ({ reason, wasProven }) },
            "reportLoss",
          ],
        },
      },
    },
    waiting: { after: { backoff: "linked" } },
  },
});

/**
 * Keeps a link to one gateway: dials, and when the link is lost waits and dials again, for ever. The wait grows with
 * every failure until the gateway has let the node in, which a gateway that only accepts the socket has not.
 *
 * ```
 * linked (dialing → open) ── lost ──▶ waiting ── after the backoff ──▶ linked
 * ```
 */
export const dialer = withStatus(machine, ({ context: { gateway, failures, delayMs, reason } }) => ({
  gateway: withoutSecrets(gateway),
  failures,
  delayMs,
  reason,
}));
