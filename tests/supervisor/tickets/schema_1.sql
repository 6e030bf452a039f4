BEGIN TRANSACTION;
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE tickets (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	invariant VARCHAR NOT NULL, 
	node VARCHAR, 
	severity VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	message VARCHAR NOT NULL, 
	opened_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	resolved_at DOUBLE, 
	occurrences INTEGER NOT NULL, 
	diagnosis JSON, 
	notes JSON NOT NULL, 
	violation_id VARCHAR NOT NULL
);
INSERT INTO "tickets" VALUES(1,'node_down','valkey-1','critical','resolved','valkey-1 does not answer',1790000002.0,1790000009.0,1790000009.0,2,'{"summary": "valkey-1 was killed", "component": "valkey-1", "cause": "process_killed", "explanation": "Its process ended by signal 9.", "confidence": 0.9, "source": "rules", "timeline": ["0.0 s: the process ended"], "evidence": [{"id": 1, "kind": "process", "text": "ended by signal 9"}, {"id": 2, "kind": "log", "text": "10 Oct \u2014 \u201cno last words\u201d"}], "cited": [1], "alternatives": [{"cause": "network_partition", "rejected_because": "the process is gone", "evidence": [1]}], "blast_radius": "shard-1", "actions": [{"kind": "restart", "target": "valkey-1", "params": {"wait_s": 5}, "risk": "safe", "expected": "", "verify": ""}], "would_change_my_mind": "a living process", "usage": {"input_tokens": 0}, "markdown": "# valkey-1 was killed\n"}','["2026-09-21T14:13:29Z ended while it was not being watched"]','v-1');
INSERT INTO "tickets" VALUES(2,'cluster_state',NULL,'critical','held','the cluster is down',1790000012.25,1790000013.0,NULL,1,'null','[]','v-2');
INSERT INTO "tickets" VALUES(3,'p99_latency','valkey-0','warning','diagnosing','slow: it''s 12.5 ms',1790000020.0,1790000020.5,NULL,3,'null','[]','v-3');
CREATE INDEX tickets_by_key ON tickets (invariant, node, id);
CREATE INDEX tickets_by_status ON tickets (status, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('tickets',3);
COMMIT;
