CREATE TABLE applied_files (
    file VARCHAR(1024) NOT NULL,
    CONSTRAINT applied_files_pk PRIMARY KEY (file)
);

CREATE TABLE contacts (
    decision_id VARCHAR(128) NOT NULL,
    surrogate VARCHAR(64) NOT NULL,
    action TEXT NOT NULL,
    channel TEXT NOT NULL,
    purpose TEXT NOT NULL,
    category TEXT NOT NULL,
    send_at FLOAT NOT NULL,
    status VARCHAR(16) NOT NULL,
    expires_at FLOAT,
    cost FLOAT NOT NULL,
    day TEXT,
    CONSTRAINT contacts_pk PRIMARY KEY (decision_id)
);

CREATE INDEX contacts_by_customer ON contacts (surrogate, send_at);

CREATE INDEX contacts_lapsing ON contacts (expires_at) WHERE status = 'held' AND day IS NOT NULL;

CREATE TABLE customers (
    customer_id VARCHAR(128) NOT NULL,
    surrogate VARCHAR(64) NOT NULL,
    CONSTRAINT customers_pk PRIMARY KEY (customer_id),
    CONSTRAINT customers_surrogate UNIQUE (surrogate)
);

CREATE TABLE decisions (
    decision_id VARCHAR(128) NOT NULL,
    surrogate VARCHAR(64) NOT NULL,
    decided_at FLOAT NOT NULL,
    arm TEXT NOT NULL,
    action TEXT NOT NULL,
    channel TEXT,
    timing TEXT,
    send_at FLOAT,
    propensity FLOAT NOT NULL,
    "group" TEXT NOT NULL,
    policy TEXT NOT NULL,
    playbook TEXT NOT NULL,
    status VARCHAR(16) NOT NULL,
    activated_at FLOAT,
    digest BLOB NOT NULL,
    body BLOB NOT NULL,
    trace BLOB NOT NULL,
    features BLOB NOT NULL,
    eligible BLOB NOT NULL,
    odds BLOB NOT NULL,
    "values" BLOB NOT NULL,
    CONSTRAINT decisions_pk PRIMARY KEY (decision_id)
);

CREATE INDEX decisions_by_customer ON decisions (surrogate, decided_at);

CREATE INDEX decisions_by_time ON decisions (decided_at, decision_id);

CREATE TABLE deliveries (
    target VARCHAR(128) NOT NULL,
    number INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    due_at FLOAT NOT NULL,
    status VARCHAR(16) NOT NULL,
    reason TEXT NOT NULL,
    at FLOAT NOT NULL,
    CONSTRAINT deliveries_pk PRIMARY KEY (target, number)
);

CREATE INDEX deliveries_due ON deliveries (target, status, due_at);

CREATE TABLE erased (
    surrogate VARCHAR(128) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    at FLOAT NOT NULL,
    who TEXT NOT NULL,
    CONSTRAINT erased_pk PRIMARY KEY (surrogate)
);

CREATE INDEX erased_by_digest ON erased (digest);

CREATE TABLE identities (
    kind VARCHAR(64) NOT NULL,
    value VARCHAR(64) NOT NULL,
    surrogate VARCHAR(64) NOT NULL,
    at FLOAT NOT NULL,
    status VARCHAR(16) NOT NULL,
    CONSTRAINT identities_pk PRIMARY KEY (kind, value, surrogate)
);

CREATE INDEX identities_by_customer ON identities (surrogate);

CREATE TABLE kept (
    "key" VARCHAR(256) NOT NULL,
    value BLOB NOT NULL,
    CONSTRAINT kept_pk PRIMARY KEY ("key")
);

CREATE TABLE leases (
    name VARCHAR(128) NOT NULL,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    until FLOAT NOT NULL,
    CONSTRAINT leases_pk PRIMARY KEY (name)
);

CREATE TABLE meta (
    id INTEGER NOT NULL,
    secret BLOB NOT NULL,
    clock VARCHAR(16) NOT NULL,
    pings INTEGER NOT NULL,
    CONSTRAINT meta_pk PRIMARY KEY (id),
    CONSTRAINT meta_has_one_row CHECK (id = 1)
);

CREATE TABLE nba_schema (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT nba_schema_pkc PRIMARY KEY (version_num)
);

CREATE TABLE notes (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind VARCHAR(128) NOT NULL,
    at FLOAT NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX notes_by_kind ON notes (kind, number);

CREATE TABLE outbox (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id VARCHAR(256) NOT NULL,
    type TEXT NOT NULL,
    surrogate VARCHAR(64) NOT NULL,
    decision_id VARCHAR(128) NOT NULL,
    at FLOAT NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX outbox_by_customer ON outbox (surrogate);

CREATE TABLE playbooks (
    fingerprint VARCHAR(128) NOT NULL,
    text TEXT NOT NULL,
    CONSTRAINT playbooks_pk PRIMARY KEY (fingerprint)
);

CREATE TABLE profiles (
    surrogate VARCHAR(64) NOT NULL,
    state BLOB,
    attributes TEXT NOT NULL,
    consents TEXT NOT NULL,
    last_at FLOAT NOT NULL,
    version INTEGER NOT NULL,
    person VARCHAR(64),
    CONSTRAINT profiles_pk PRIMARY KEY (surrogate)
);

CREATE INDEX profiles_by_person ON profiles (person) WHERE person IS NOT NULL;

CREATE TABLE publications (
    number INTEGER NOT NULL,
    kind VARCHAR(256) NOT NULL,
    version VARCHAR(128) NOT NULL,
    specification TEXT NOT NULL,
    published_at FLOAT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    origin INTEGER NOT NULL,
    share FLOAT NOT NULL,
    evidence TEXT NOT NULL,
    CONSTRAINT publications_pk PRIMARY KEY (number)
);

CREATE TABLE sqlite_sequence(name,seq);

CREATE TABLE ticket_changes (
    ticket_id VARCHAR(128) NOT NULL,
    version INTEGER NOT NULL,
    at FLOAT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    note TEXT,
    CONSTRAINT ticket_changes_pk PRIMARY KEY (ticket_id, version)
);

CREATE TABLE tickets (
    ticket_id VARCHAR(128) NOT NULL,
    surrogate VARCHAR(64) NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    event_type TEXT NOT NULL,
    event_id TEXT NOT NULL,
    status VARCHAR(16) NOT NULL,
    queue TEXT,
    owner TEXT,
    opened_at FLOAT NOT NULL,
    due_at FLOAT NOT NULL,
    changed_at FLOAT NOT NULL,
    closed_at FLOAT,
    version INTEGER NOT NULL,
    CONSTRAINT tickets_pk PRIMARY KEY (ticket_id)
);

CREATE INDEX tickets_by_customer ON tickets (surrogate, opened_at);

CREATE INDEX tickets_by_time ON tickets (opened_at, ticket_id);

CREATE INDEX tickets_unsettled ON tickets (due_at) WHERE status IN ('open', 'in_progress');

CREATE TABLE touchpoints (
    source VARCHAR(16) NOT NULL,
    id VARCHAR(128) NOT NULL,
    surrogate VARCHAR(64) NOT NULL,
    type TEXT NOT NULL,
    channel TEXT,
    occurred_at FLOAT NOT NULL,
    value FLOAT NOT NULL,
    decision_id VARCHAR(128),
    properties TEXT,
    CONSTRAINT touchpoints_pk PRIMARY KEY (source, id)
);

CREATE INDEX touchpoints_by_customer ON touchpoints (surrogate, occurred_at);

CREATE INDEX touchpoints_by_time ON touchpoints (occurred_at, source, id);

CREATE TABLE used (
    action VARCHAR(128) NOT NULL,
    day VARCHAR(16) NOT NULL,
    contacts INTEGER NOT NULL,
    spend FLOAT NOT NULL,
    CONSTRAINT used_pk PRIMARY KEY (action, day)
);

CREATE TABLE watches (
    surrogate VARCHAR(64) NOT NULL,
    due_at FLOAT NOT NULL,
    memory TEXT NOT NULL,
    CONSTRAINT watches_pk PRIMARY KEY (surrogate)
);

CREATE INDEX watches_by_time ON watches (due_at);
