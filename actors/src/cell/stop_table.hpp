// The stop machine: what an actor does when it is told to end, or to begin anew, by where it is in its life.
// The one place where that is written down. orders.cpp takes the orders and carries the steps out;
// lifecycle.cpp ends and starts incarnations; children.cpp and supervisor_state.cpp give orders to children.
//
//   order    from                                    means
//   stop     anybody, its parent                     end for good, in order: by its deadline
//   kill     its parent, at the deadline             end for good, now, without hooks
//   slay     system::kill; the parent, for a child   end this incarnation now, as `killed`
//            that is late
//   recycle  its supervisor, for a group             end this incarnation in order, then ask
//   heard    its parent                              the end of the incarnation is known: wait
//   restart  its parent                              start the next incarnation, after the pause
//   bury     its parent                              there is none
//   unborn   who spawned it                          its constructor threw
//
// restart and bury say heard as well. Orders that arrive together are carried out in the order of the table,
// each in the stage that the one before it left. Every child that is told to end
// has a due time with its parent (quarantine.cpp), which is handed down: the least of its own shutdown time,
// its parent's deadline, and what run() or shutdown() has set.
#pragma once

#include <array>
#include <cstdint>

namespace troupe::detail {

/// Where a cell is, as far as orders go.
enum class stage : std::uint8_t {
  running,   // handles messages
  draining,  // told to stop: handles what is queued, takes nothing more
  ending,    // waits for its children; what comes then is open
  stopping,  // the same, but told to stop: it will not come back
  reported,  // the incarnation is over; its parent has been told, and has not answered
  doomed,    // the same, and told to stop since
  waiting,   // its parent has answered: a pause, or the rest of the group, comes first
  dead,
};
inline constexpr unsigned stages = 8;

enum class order : std::uint8_t { heard, kill, stop, slay, recycle, unborn, bury, restart };
inline constexpr unsigned orders_to_end = 8;

enum class step : std::uint8_t {
  none,
  leave,     // refuse new mail; drain, or begin to end; by the deadline
  hurry,     // it is leaving already: by the new deadline, if that is earlier
  stay_out,  // it ends anyway: for good from now on, by the deadline
  cut,       // end at once, and for good; all below is killed
  cut_one,   // end this incarnation at once; all below is killed
  renew,     // end this incarnation in order, with the mailbox open
  note,      // remember that it is for good: buried once the parent has answered
  answered,  // the parent knows
  report,    // tell the parent again
  begin,     // the next incarnation
  bury,      // end for good; children that were kept go first
  fail,      // end as a failed start
};

// clang-format off
inline constexpr std::array<std::array<step, stages>, orders_to_end> stop_table = [] {
  using enum step;
  return std::array<std::array<step, stages>, orders_to_end>{{
    //             running  draining ending    stopping reported  doomed waiting dead
    /* heard   */ {none,    none,    none,     none,    answered, bury,  none,   none},
    /* kill    */ {cut,     cut,     cut,      cut,     note,     none,  bury,   none},
    /* stop    */ {leave,   hurry,   stay_out, hurry,   note,     none,  bury,   none},
    /* slay    */ {cut_one, cut_one, cut_one,  cut_one, none,     none,  none,   none},
    /* recycle */ {renew,   none,    none,     none,    none,     none,  report, none},
    /* unborn  */ {fail,    fail,    fail,     none,    note,     none,  bury,   none},
    /* bury    */ {none,    none,    none,     none,    none,     none,  bury,   none},
    /* restart */ {none,    none,    none,     none,    none,     none,  begin,  none},
  }};
}();
// clang-format on

[[nodiscard]] constexpr step step_for(order o, stage s) noexcept {
  return stop_table[static_cast<unsigned>(o)][static_cast<unsigned>(s)];
}

}  // namespace troupe::detail
