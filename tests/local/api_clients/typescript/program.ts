// Uses the types that openapi-typescript made: start, read, list, leave, delete, and two problems.
// Prints what it saw as JSON.
import assert from "node:assert/strict";
import { env } from "node:process";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Session = components["schemas"]["SessionObject"];

const client = createClient<paths>({
  baseUrl: env.MEETING_BUDDY_URL!,
  headers: { Authorization: `Bearer ${env.ACCESS_TOKEN}` },
});
const sessions = "/v1/meeting-buddy/sessions";
const one = `${sessions}/{session_id}` as const;

const wanted = {
  params: { header: { "Idempotency-Key": env.IDEMPOTENCY_KEY! } },
  body: { meeting_link: env.MEETING_LINK!, recording: { frame_rate: 5 }, announcement: null },
};
const made = await client.POST(sessions, wanted);
const again = await client.POST(sessions, wanted);
const session: Session | undefined = made.data;
assert(session && again.data);
assert.deepEqual(again.data, session);
assert.equal(session.join_timestamp, null);
assert.equal(session.current_participants?.count, undefined);
const path = { session_id: session.session_id };

const found = await client.GET(one, { params: { path } });
const page = await client.GET(sessions, { params: { query: { status: "initializing", limit: 10 } } });
const left = await client.POST(`${one}/leave`, { params: { path } });
const gone = await client.DELETE(one, { params: { path } });
const missing = await client.GET(one, { params: { path } });
const refused = await client.POST(sessions, { body: { meeting_link: "https://example.com/" } });

// @ts-expect-error -- there is no such status
const asleep: Session["status"] = "asleep";
// @ts-expect-error -- texts only
const wrong: components["schemas"]["SessionRequest"] = { metadata: { number: 1 } };
assert(asleep && wrong);

const created = new Date(session.created_at ?? "");
console.log(
  JSON.stringify({
    created: [made.response.status, session.session_id, session.status, created.toISOString() === session.created_at],
    location: made.response.headers.get("Location"),
    replayed: again.response.headers.get("Idempotency-Replayed"),
    found: JSON.stringify(found.data) === JSON.stringify(session),
    listed: page.data?.sessions.map((each) => each.session_id),
    left: left.data?.session_id,
    deleted: [gone.response.status, gone.data ?? null],
    missing: [missing.error?.status, missing.error?.type],
    refused: [refused.error?.status, refused.error?.type, refused.error?.field, refused.error?.errors?.[0]?.field],
  }),
);
