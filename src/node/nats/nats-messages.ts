import { z } from "zod";
import { isInstance } from "./subjects.ts";

const instance = z.custom<string>(isInstance);

/** A gateway announces itself. */
const announcementSchema = z.strictObject({
  gateway: z.string().min(1).max(255),
  /** New for each of its connections to NATS. */
  instance,
  /** The announcement interval, milliseconds. */
  everyMs: z.int().min(100).max(60_000),
});

/** A node looks for gateways. */
const discoverSchema = z.strictObject({ instance });

/** A node asks for a pipe. */
const openSchema = z.strictObject({ instance, session: instance });

export type Announcement = z.infer<typeof announcementSchema>;
export type Discover = z.infer<typeof discoverSchema>;
export type Open = z.infer<typeof openSchema>;

// None of these messages is larger.
const maxBytes = 2_000;

export const parseAnnouncement = (data: Uint8Array): Announcement | null => parse(announcementSchema, data);
export const parseDiscover = (data: Uint8Array): Discover | null => parse(discoverSchema, data);
export const parseOpen = (data: Uint8Array): Open | null => parse(openSchema, data);

export function encodeMessage(message: Announcement | Discover | Open): Uint8Array {
  return Buffer.from(JSON.stringify(message), "utf8");
}

/** The data as one of these messages; null if it is not. */
function parse<Message>(schema: z.ZodType<Message>, data: Uint8Array): Message | null {
  if (data.length > maxBytes) return null;
  try {
    return schema.parse(JSON.parse(Buffer.from(data).toString("utf8")));
  } catch {
    return null;
  }
}
