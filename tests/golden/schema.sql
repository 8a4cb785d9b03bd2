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

CREATE INDEX decisions_by_time ON decisions (decided_at, decision_id);

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

CREATE TABLE outbox (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id VARCHAR(256) NOT NULL,
    type TEXT NOT NULL,
    surrogate VARCHAR(64) NOT NULL,
    decision_id VARCHAR(128) NOT NULL,
    at FLOAT NOT NULL,
    body BLOB NOT NULL
);

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
    CONSTRAINT profiles_pk PRIMARY KEY (surrogate)
);

CREATE TABLE publications (
    number INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    version VARCHAR(128) NOT NULL,
    specification TEXT NOT NULL,
    published_at FLOAT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    CONSTRAINT publications_pk PRIMARY KEY (number)
);

CREATE TABLE sqlite_sequence(name,seq);

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
