// EnteredEvents: passes between `correct` or `import_users` and the triggers of their INSERT which events are entered
// by these functions, and by whom. No payload and no column that an INSERT gives can say so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace terra_identity::tables {

/// The events that `correct` or `import_users` inserts while this object lives. There is a stack of them, because
/// triggers of the application may call these functions meanwhile.
class EnteredEvents {
public:
    /// @param event_ids in ascending order @param entered_by the role that called the function
    EnteredEvents(std::vector<std::int64_t> event_ids, std::string entered_by);
    ~EnteredEvents();
    EnteredEvents(const EnteredEvents&) = delete;
    EnteredEvents& operator=(const EnteredEvents&) = delete;

    /// The role that enters this event; null if it is a delivery.
    static const std::string* role_of(std::int64_t event_id);

private:
    std::vector<std::int64_t> event_ids_;
    std::string entered_by_;
    EnteredEvents* outer_;
};

} // namespace terra_identity::tables
