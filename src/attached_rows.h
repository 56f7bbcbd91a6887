// Rows of an attached table, on their way into the ledger.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/datum.h"
#include "pg/json_input.h"
#include "receive.h"

namespace terra_identity {

/// Which columns are fed, by their numbers; 0: none.
struct FedColumns {
    int payload = 0;
    int headers = 0;
    int dev_id = 0;
    int received_at = 0;
    std::vector<int> key; ///< the primary key's

    int* named(std::string_view role) {
        if (role == "payload")
            return &payload;
        if (role == "headers")
            return &headers;
        if (role == "dev_id")
            return &dev_id;
        return role == "received_at" ? &received_at : nullptr;
    }
};

/// Takes the rows of an attached table, and inserts them into the ledger, set by set. What cannot be an event is
/// kept in `rejected`: the INSERT of the application never fails because of what its row holds.
class AttachedRows {
public:
    /// @param source names the table in the trace ids that are made from its rows
    AttachedRows(TupleDesc columns, FedColumns fed, std::string source);

    void add(TupleTableSlot* slot);
    void finish();

private:
    struct Rejected {
        Delivery delivery;
        std::optional<std::string> trace_id;
        std::string reason;
    };

    void add(TupleTableSlot* slot, const pg::NullableValue& payload);
    void insert_part();
    void become_batch();
    Oid type_of(int number) const;
    pg::JsonInput json_in(const pg::NullableValue& given, int number, const char* what) const;
    pg::JsonInput headers_in(const pg::NullableValue& given) const;
    TimestampTz received_at_in(const pg::NullableValue& given) const;
    std::string trace_id_of(TupleTableSlot* slot) const;
    Datum body_of(const pg::NullableValue& payload) const;
    void keep_rejected(Delivery delivery, std::optional<std::string> trace_id, std::string reason);
    static void keep(const Rejected& rejected);

    TupleDesc columns_;
    FedColumns fed_;
    std::string source_;
    TupleDesc fed_rows_columns_ = nullptr;
    Tuplestorestate* rows_ = nullptr;
    MemoryContext row_context_ = nullptr;
    std::size_t bytes_ = 0; ///< in rows_
    bool is_batch_ = false;
    /// It waits until it is known whether there are others: who rejects several is a batch, too.
    std::optional<Rejected> first_rejected_;
};

} // namespace terra_identity
