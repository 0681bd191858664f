// The stop machine: the step that an actor takes for each order to end or to restart, by the stage of its
// life. The only definition of it: orders.cpp takes the orders and carries out the steps; lifecycle.cpp ends
// and starts incarnations; children.cpp and supervisor_state.cpp give orders to children. Values only: no
// cell, any thread.
//
//   order             from                           means
//   stop              any thread, its parent         end for good, in order: by its deadline
//   kill              its parent, at the deadline    end for good, now, without hooks
//   kill_incarnation  system::kill; the parent, for  end this incarnation now, as `killed`
//                     a child that is late
//   recycle           its supervisor, for a group    end this incarnation in order, then report to the parent
//   acknowledge       its parent                     the end of the incarnation is known: wait
//   restart           its parent                     start the next incarnation, after the pause
//   give_up           its parent                     there is no next incarnation: end for good
//   start_failed      the thread that spawned it     its constructor threw: end for good
//
// restart and give_up imply acknowledge. Orders that arrive together are carried out in the order of the
// table, each in the stage that the one before it left. Every child that is told to end has a due time with
// its parent (quarantine.cpp), which is handed down: the least of its own shutdown time, its parent's
// deadline, and the deadline of run() or shutdown().
#pragma once

#include <array>
#include <cstdint>

namespace troupe::detail {

/// Where a cell is, as far as orders go.
enum class stage : std::uint8_t {
  running,   // handles messages
  draining,  // told to stop: handles the queued messages, accepts no more
  ending,    // waits for its children; may be restarted afterwards
  stopping,  // the same, but told to stop: it will not be restarted
  reported,  // the incarnation has ended; its parent has been told, and has not answered
  doomed,    // the same, and told to stop since
  waiting,   // its parent has answered: it waits for its pause, or for the rest of its group
  dead,
};
inline constexpr unsigned stages = 8;

enum class order : std::uint8_t {
  acknowledge,
  kill,
  stop,
  kill_incarnation,
  recycle,
  start_failed,
  give_up,
  restart
};
inline constexpr unsigned orders_to_end = 8;

enum class step : std::uint8_t {
  none,
  leave,       // refuse new mail; drain, or begin to end; by the deadline
  hurry,       // it stops already: by the new deadline, if that is earlier
  no_restart,  // it ends already: for good from now on, by the deadline
  kill,        // end at once and for good; all descendants are killed
  kill_one,    // end this incarnation at once; all descendants are killed
  recycle,     // end this incarnation in order, with the mailbox open
  remember,    // end for good as soon as the parent has answered
  answered,    // the parent knows
  report,      // tell the parent again
  restart,     // start the next incarnation
  end,         // end for good; children that were kept end first
  fail,        // end as a failed start
};

// clang-format off
inline constexpr std::array<std::array<step, stages>, orders_to_end> stop_table = [] {
  using enum step;
  return std::array<std::array<step, stages>, orders_to_end>{{
    //                       running   draining  ending      stopping  reported  doomed  waiting  dead
    /* acknowledge      */ {none,     none,     none,       none,     answered, end,    none,    none},
    /* kill             */ {kill,     kill,     kill,       kill,     remember, none,   end,     none},
    /* stop             */ {leave,    hurry,    no_restart, hurry,    remember, none,   end,     none},
    /* kill_incarnation */ {kill_one, kill_one, kill_one,   kill_one, none,     none,   none,    none},
    /* recycle          */ {recycle,  none,     none,       none,     none,     none,   report,  none},
    /* start_failed     */ {fail,     fail,     fail,       none,     remember, none,   end,     none},
    /* give_up          */ {none,     none,     none,       none,     none,     none,   end,     none},
    /* restart          */ {none,     none,     none,       none,     none,     none,   restart, none},
  }};
}();
// clang-format on

[[nodiscard]] constexpr step step_for(order o, stage s) noexcept {
  return stop_table[static_cast<unsigned>(o)][static_cast<unsigned>(s)];
}

}  // namespace troupe::detail
