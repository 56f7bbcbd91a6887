--
-- PostgreSQL database dump
--

\restrict oZeddvoWPTdb4yyl9Q09QDPe4IXky1KAhL2T5dYsvr7IpEV3Q7XdULOxeYiBipK

-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: terra_identity; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS terra_identity WITH SCHEMA pg_catalog;


--
-- Name: EXTENSION terra_identity; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION terra_identity IS 'which Terra connection is current for whom, kept by the database that receives the webhooks';


--
-- Data for Name: changes; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.changes (change_id, changed_at, event_id, kind, dev_id, user_id, lineage_id, reference_id, detail) FROM stdin;
1	2026-11-21 15:51:36.757322+00	1	connected	default	B	1	alice	\N
2	2026-11-21 15:51:36.758082+00	2	replaced	default	A	1	alice	{"previous_status": null, "successor_user_id": "B"}
3	2026-11-21 15:51:36.758449+00	3	account_identified	default	B	1	alice	{"provider_user_id": "G1", "previous_provider_user_id": null}
4	2026-11-21 15:51:36.758704+00	5	superseded	default	B	1	alice	{"previous_status": "active", "successor_user_id": "A"}
5	2026-11-21 15:51:36.758708+00	5	account_identified	default	A	1	alice	{"provider_user_id": "G1", "previous_provider_user_id": null}
6	2026-11-21 15:51:36.758774+00	6	connected	default	g1	3	alice	\N
7	2026-11-21 15:51:36.758858+00	7	replaced	default	g1	3	alice	{"previous_status": "active", "successor_user_id": "g2"}
8	2026-11-21 15:51:36.75886+00	7	reconnected	default	g2	3	bob	{"old_user_id": "g1"}
9	2026-11-21 15:51:36.760806+00	8	connected	tablet	mum	5	mum	\N
10	2026-11-21 15:51:36.760808+00	8	account_identified	tablet	mum	5	mum	{"provider_user_id": "tablet", "previous_provider_user_id": null}
11	2026-11-21 15:51:36.760997+00	9	superseded	tablet	mum	5	mum	{"previous_status": "active", "successor_user_id": "dad"}
12	2026-11-21 15:51:36.761+00	9	transferred	tablet	mum	5	mum	{"to_user_id": "dad", "to_reference_id": "dad"}
13	2026-11-21 15:51:36.761002+00	9	connected	tablet	dad	6	dad	\N
14	2026-11-21 15:51:36.761003+00	9	account_identified	tablet	dad	6	dad	{"provider_user_id": "tablet", "previous_provider_user_id": null}
15	2026-11-21 15:51:36.761087+00	10	connected	tablet	new	7	kid	\N
16	2026-11-21 15:51:36.761176+00	11	superseded	tablet	new	7	kid	{"previous_status": "active", "successor_user_id": "old"}
17	2026-11-21 15:51:36.761178+00	11	reconnected	tablet	old	7	kid	{"old_user_id": "new"}
\.


--
-- Data for Name: connections; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.connections (connection_id, dev_id, user_id, lineage_id, reference_id, provider, provider_user_id, status, successor_user_id, confirmed, scopes, created_at, first_seen_at, connected_at, ended_at, live, alive_at, replaced_at, replaced_by, deauthenticated_at, revoked_at, failed_at, degraded_at, own_provider_user_id, own_provider_user_id_at, provider_at, provider_passing, reference_id_at, reference_id_passing, scopes_at, scopes_passing, sdk, account_exclusive, duplicate, cyclic) FROM stdin;
1	default	B	1	alice	GARMIN	G1	superseded	A	t	\N	\N	2024-03-01 00:00:00+00	2024-03-01 00:00:00+00	2024-03-01 00:01:00+00	t	\N	\N	\N	\N	\N	\N	\N	G1	2024-03-01 00:02:00+00	2024-03-01 00:01:00+00	f	2024-03-01 00:01:00+00	f	\N	f	f	f	f	f
2	default	A	1	alice	GARMIN	G1	replaced	B	t	\N	\N	2024-03-01 00:01:00+00	2024-03-01 00:01:00+00	2024-03-01 00:01:00+00	t	\N	2024-03-01 00:01:00+00	B	\N	\N	\N	\N	G1	2024-03-01 01:01:00+00	2024-03-01 01:00:00+00	f	2024-03-01 01:00:00+00	f	\N	f	f	f	f	f
3	default	g1	3	alice	FITBIT	\N	replaced	g2	t	\N	\N	2024-03-01 01:10:00+00	2024-03-01 01:10:00+00	2024-03-01 01:11:00+00	t	\N	2024-03-01 01:11:00+00	g2	\N	\N	\N	\N	\N	\N	2024-03-01 01:11:00+00	f	2024-03-01 01:11:00+00	f	\N	f	f	f	f	f
4	default	g2	3	bob	FITBIT	\N	active	\N	t	\N	\N	2024-03-01 01:11:00+00	2024-03-01 01:11:00+00	\N	t	\N	\N	\N	\N	\N	\N	\N	\N	\N	2024-03-01 01:11:00+00	f	2024-03-01 01:11:00+00	f	\N	f	f	f	f	f
5	tablet	mum	5	mum	APPLE	tablet	superseded	dad	f	\N	\N	2024-03-01 00:00:00+00	2024-03-01 00:00:00+00	2024-03-01 00:01:00+00	t	\N	\N	\N	\N	\N	\N	\N	tablet	2024-03-01 00:00:00+00	2024-03-01 00:00:00+00	f	2024-03-01 00:00:00+00	f	\N	f	t	t	f	f
6	tablet	dad	6	dad	APPLE	tablet	active	\N	f	\N	\N	2024-03-01 00:01:00+00	2024-03-01 00:01:00+00	\N	t	\N	\N	\N	\N	\N	\N	\N	tablet	2024-03-01 00:01:00+00	2024-03-01 00:01:00+00	f	2024-03-01 00:01:00+00	f	\N	f	t	t	f	f
7	tablet	new	7	kid	SAMSUNG	\N	superseded	old	t	\N	2024-02-29 00:00:00+00	2024-03-01 00:02:00+00	2024-02-29 00:00:00+00	2024-03-01 00:03:00+00	t	2024-02-29 00:00:00+00	\N	\N	\N	\N	\N	\N	\N	\N	2024-03-01 00:02:00+00	f	2024-03-01 00:02:00+00	f	\N	f	t	t	f	f
8	tablet	old	7	kid	SAMSUNG	\N	active	\N	f	\N	\N	2024-03-01 00:03:00+00	2024-03-01 00:03:00+00	\N	t	\N	\N	\N	\N	\N	\N	\N	\N	\N	2024-03-01 00:03:00+00	t	2024-03-01 00:03:00+00	t	\N	f	t	t	f	f
\.


--
-- Data for Name: deliveries; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.deliveries (dev_id, trace_id, event_id) FROM stdin;
default	t1	1
default	t2	2
\.


--
-- Data for Name: environments; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.environments (dev_id, account_policy, signature_required, signature_tolerance) FROM stdin;
default	keep	f	24:00:00
tablet	replace	f	24:00:00
\.


--
-- Data for Name: events; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.events (event_id, dev_id, received_at, payload, headers, event_type, user_id, reference_id, provider, trace_id, event_time, problem, contributes) FROM stdin;
1	default	2024-03-01 00:00:00+00	{"type": "auth", "user": {"user_id": "B", "provider": "GARMIN", "reference_id": "alice"}, "status": "success"}	{"X-Terra-Trace-Id": "t1"}	auth	B	alice	GARMIN	t1	2024-03-01 00:00:00+00	\N	t
2	default	2024-03-01 00:01:00+00	{"type": "user_reauth", "new_user": {"user_id": "B", "provider": "GARMIN", "reference_id": "alice"}, "old_user": {"user_id": "A", "provider": "GARMIN", "reference_id": "alice"}}	{"X-Terra-Trace-Id": "t2"}	user_reauth	B	alice	GARMIN	t2	2024-03-01 00:01:00+00	\N	t
3	default	2024-03-01 00:02:00+00	{"type": "athlete", "user": {"user_id": "B"}, "athlete": {"provider_user_id": "G1"}}	\N	athlete	B	\N	\N	\N	2024-03-01 00:02:00+00	\N	t
4	default	2024-03-01 01:00:00+00	{"type": "auth", "user": {"user_id": "A", "provider": "GARMIN", "reference_id": "alice"}, "status": "success"}	\N	auth	A	alice	GARMIN	\N	2024-03-01 01:00:00+00	\N	t
5	default	2024-03-01 01:01:00+00	{"type": "athlete", "user": {"user_id": "A"}, "athlete": {"provider_user_id": "G1"}}	\N	athlete	A	\N	\N	\N	2024-03-01 01:01:00+00	\N	t
6	default	2024-03-01 01:10:00+00	{"type": "auth", "user": {"user_id": "g1", "provider": "FITBIT", "reference_id": "alice"}, "status": "success"}	\N	auth	g1	alice	FITBIT	\N	2024-03-01 01:10:00+00	\N	t
7	default	2024-03-01 01:11:00+00	{"type": "user_reauth", "new_user": {"user_id": "g2", "provider": "FITBIT", "reference_id": "bob"}, "old_user": {"user_id": "g1", "provider": "FITBIT", "reference_id": "alice"}}	\N	user_reauth	g2	bob	FITBIT	\N	2024-03-01 01:11:00+00	\N	t
8	tablet	2024-03-01 00:00:00+00	{"type": "athlete", "user": {"user_id": "mum", "provider": "APPLE", "reference_id": "mum"}, "athlete": {"provider_user_id": "tablet"}}	\N	athlete	mum	mum	APPLE	\N	2024-03-01 00:00:00+00	\N	t
9	tablet	2024-03-01 00:01:00+00	{"type": "athlete", "user": {"user_id": "dad", "provider": "APPLE", "reference_id": "dad"}, "athlete": {"provider_user_id": "tablet"}}	\N	athlete	dad	dad	APPLE	\N	2024-03-01 00:01:00+00	\N	t
10	tablet	2024-03-01 00:02:00+00	{"type": "auth", "user": {"user_id": "new", "provider": "SAMSUNG", "created_at": "2024-02-29T00:00:00Z", "reference_id": "kid"}, "status": "success"}	\N	auth	new	kid	SAMSUNG	\N	2024-03-01 00:02:00+00	\N	t
11	tablet	2024-03-01 00:03:00+00	{"type": "daily", "user": {"user_id": "old", "provider": "SAMSUNG", "reference_id": "kid"}}	\N	daily	old	kid	SAMSUNG	\N	2024-03-01 00:03:00+00	\N	t
\.


--
-- Data for Name: providers; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.providers (provider, sdk) FROM stdin;
APPLE	t
SAMSUNG	t
HEALTH_CONNECT	t
GOOGLEFIT	t
FREESTYLELIBRESDK	t
FITBIT	f
\.


--
-- Data for Name: reauths; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.reauths (dev_id, old_user_id, new_user_id) FROM stdin;
default	A	B
default	g1	g2
\.


--
-- Data for Name: refusal_counters; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.refusal_counters (counter_id, dev_id, reason, refused, first_at, last_at, logged_at) FROM stdin;
\.


--
-- Data for Name: rejected; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.rejected (rejected_id, dev_id, received_at, trace_id, body, headers, reason, digest) FROM stdin;
\.


--
-- Data for Name: signatures; Type: TABLE DATA; Schema: terra_identity; Owner: -
--

COPY terra_identity.signatures (dev_id, digest, event_id) FROM stdin;
\.


--
-- Name: changes_change_id_seq; Type: SEQUENCE SET; Schema: terra_identity; Owner: -
--

SELECT pg_catalog.setval('terra_identity.changes_change_id_seq', 17, true);


--
-- Name: connections_connection_id_seq; Type: SEQUENCE SET; Schema: terra_identity; Owner: -
--

SELECT pg_catalog.setval('terra_identity.connections_connection_id_seq', 8, true);


--
-- Name: events_event_id_seq; Type: SEQUENCE SET; Schema: terra_identity; Owner: -
--

SELECT pg_catalog.setval('terra_identity.events_event_id_seq', 11, true);


--
-- Name: refusal_counters_counter_id_seq; Type: SEQUENCE SET; Schema: terra_identity; Owner: -
--

SELECT pg_catalog.setval('terra_identity.refusal_counters_counter_id_seq', 1, false);


--
-- Name: rejected_rejected_id_seq; Type: SEQUENCE SET; Schema: terra_identity; Owner: -
--

SELECT pg_catalog.setval('terra_identity.rejected_rejected_id_seq', 1, false);


--
-- PostgreSQL database dump complete
--

\unrestrict oZeddvoWPTdb4yyl9Q09QDPe4IXky1KAhL2T5dYsvr7IpEV3Q7XdULOxeYiBipK

