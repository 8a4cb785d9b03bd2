"""Ingest: raw files into the history of touchpoints, and whatever can't go in into a quarantine file.

    files + mapping ─▶ readers ─▶ transcribe ─┐
                                              ├─▶ validate ─▶ writer (history)
    adapters of public data sets ─────────────┘        └────▶ quarantine

A mapping file says, for each kind of file, which column means what:

    sources:
      - match: "orders-*.csv"                  # on the file's name; the first that matches counts
        customer: client_no                    # a column; or {column: …, values: {from: to}}, {constant: …}
        type: {constant: purchase}
        time: {column: bought_at, format: "%d/%m/%Y %H:%M", timezone: Europe/Paris}
        value: amount
        id: order_line                         # leave it out and an id is derived
        properties: [sku, store]               # or {name: column}, or one column that holds JSON objects
        attributes: {age: {column: AGE, as: number}}    # become a `profile` row beside the row's own

Times without `format` are ISO 8601; numbers need `unit: s|ms|us|ns`. Without a mapping, files have the
field names of the HTTP events. Cells of a CSV that are JSON numbers or true/false become such in
properties, all others text, unless `as` says otherwise.

A derived id is a hash of the file's name (no folders), the line's number and the line's content: two
identical lines are two events, the same file again (also moved, also grown at its end) changes nothing,
but a file whose first lines were cut off is a new file. Give `id` a column wherever there is one.

Kept out: applying the history to a serving store, and features.
"""
