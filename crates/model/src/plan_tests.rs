use proptest::prelude::*;

use super::*;
use crate::{
    AccountOrigin, Limit, Recipe, State, Statement, Target,
    testing::{T0, access, account, added, at, dpop_key, entered, refresh, set},
};

fn planned(life_s: i64, sliding_s: Option<i64>, absolute_s: Option<i64>) -> Plan {
    let account = account();
    plan(T0, &account, &set([access(&account, life_s), refresh(&account, sliding_s, absolute_s)]), None)
}

fn failure(kind: FailureKind) -> ProviderFailure {
    ProviderFailure::new(kind, "token", "it failed")
}

#[test]
fn an_hour_long_token_is_renewed_ten_minutes_before_its_end() {
    assert_eq!(planned(3600, None, None).next_at, at(3600 - 600));
}

#[test]
fn the_key_of_bound_tokens_counts_in_no_plan_and_has_no_end() {
    let (account, later) = (account(), at(1_000_000_000));
    let key = dpop_key(&account);
    assert_eq!(key.lifetime.effective_end(), None);
    for tokens in [vec![], vec![access(&account, 60)], vec![access(&account, 60), refresh(&account, Some(600), None)]] {
        let (without, with) = (set(tokens.clone()), set(tokens.into_iter().chain([key.clone()])));
        assert_eq!(with.iter().count(), without.iter().count() + 1);
        for now in [T0, later] {
            assert_eq!(plan(now, &account, &with, None), plan(now, &account, &without, None));
            let state = |credentials| State::of(&account, credentials, None, false, now);
            assert_eq!(state(&with), state(&without));
        }
    }
}

#[test]
fn a_token_that_nobody_signs_in_for_is_renewed_in_its_lead_and_also_when_it_is_over() {
    let account = added();
    let tokens = set([access(&account, 3600)]);
    assert_eq!(plan(T0, &account, &tokens, None).next_at, at(3600 - 600));
    let late = plan(at(9000), &account, &tokens, None);
    assert_eq!(
        (late.action, late.next_at <= at(9000)),
        (Action::Renew, true),
        "there is nothing that could have ended"
    );
    let state = |now| State::of(&account, &tokens, None, false, now);
    assert_eq!([state(T0), state(at(3100)), state(at(9000))], [State::Fresh, State::Due, State::Expired]);
    let none = set([]);
    assert_eq!(plan(T0, &account, &none, None).action, Action::Rest);
    let unreadable = State::NeedsSignIn { reason: NeedsSignIn::Unreadable };
    assert_eq!(State::of(&account, &none, None, false, T0), unreadable);
    // Its token is whole; what the next one is made from is not there.
    let recipe = Recipe::JwtBearer { statement: Statement::default(), target: Target::default() };
    let by_key = Account { origin: AccountOrigin::Added { recipe }, ..account };
    assert_eq!(State::of(&by_key, &tokens, None, false, T0), unreadable);
    assert_eq!(plan(T0, &by_key, &tokens, None).action, Action::Rest);
}

#[test]
fn a_token_that_nobody_signs_in_for_waits_after_a_failure_and_its_end_is_told_when_that_comes_first() {
    let account = added();
    let tokens = set([access(&account, 100)]);
    let trouble = |retry_s| Trouble {
        failure: FailureKind::ParentUnavailable,
        detail: "it waits".into(),
        attempts: 3,
        retry_at: at(retry_s),
    };
    let sooner = plan(at(60), &account, &tokens, Some(&trouble(80)));
    assert_eq!((sooner.action, sooner.next_at), (Action::Renew, at(80)));
    let later = plan(at(60), &account, &tokens, Some(&trouble(300)));
    assert_eq!((later.action, later.next_at), (Action::Announce, at(100)));
    let over = plan(at(120), &account, &tokens, Some(&trouble(300)));
    assert_eq!((over.action, over.next_at), (Action::Renew, at(300)));
}

#[test]
fn a_twenty_minute_token_is_renewed_a_fifth_of_its_life_before_its_end() {
    assert_eq!(planned(1200, None, None).next_at, at(1200 - 240));
}

#[test]
fn a_five_second_token_is_renewed_at_half_life_and_not_all_the_time() {
    assert_eq!(planned(5, None, None).next_at, T0.plus_millis(2500));
}

#[test]
fn a_sliding_window_shorter_than_the_access_token_decides_when_to_renew() {
    let plan = planned(86_400, Some(1800), None);
    assert_eq!((plan.next_at, plan.action), (at(1200), Action::Renew), "10 min before the window of 30 min closes");
    assert_eq!(planned(86_400, Some(100), None).next_at, at(80), "at 80 % of a window that has no room for 10 min");
}

#[test]
fn the_end_is_planned_when_the_absolute_limit_comes_before_any_renewal() {
    let plan = planned(3600, Some(3600), Some(60));
    assert_eq!((plan.next_at, plan.action), (at(60), Action::End(NeedsSignIn::AbsoluteEnd)));
}

#[test]
fn an_account_without_a_refresh_token_ends_with_its_access_token() {
    let account = account();
    let plan = plan(T0, &account, &set([access(&account, 300)]), None);
    assert_eq!((plan.next_at, plan.action), (at(300), Action::End(NeedsSignIn::NoRefreshToken)));
}

#[test]
fn a_token_entered_by_hand_is_due_a_week_before_its_end_and_then_expired_and_never_renewed() {
    const DAY: i64 = 86_400;
    let account = entered();
    let held = set([access(&account, 90 * DAY)]);
    let steps = |seconds| {
        let plan = plan(at(seconds), &account, &held, None);
        (State::of(&account, &held, None, false, at(seconds)), plan.action, plan.next_at)
    };
    assert_eq!(steps(0), (State::Fresh, Action::Remind, at(83 * DAY)));
    assert_eq!(steps(83 * DAY), (State::Due, Action::Announce, at(90 * DAY)));
    assert_eq!(steps(90 * DAY), (State::Expired, Action::Rest, UnixMillis::MAX));
    let short = set([access(&account, 10)]);
    assert_eq!(plan(T0, &account, &short, None).next_at, at(5), "half of a short life");
}

#[test]
fn a_token_entered_by_hand_without_an_end_stays_fresh_and_rests() {
    let account = entered();
    let mut token = access(&account, 1);
    token.lifetime = Lifetime::beginning(T0);
    let held = set([token]);
    assert_eq!(plan(at(1 << 40), &account, &held, None).action, Action::Rest);
    assert_eq!(State::of(&account, &held, None, false, at(1 << 40)), State::Fresh);
}

#[test]
fn an_account_that_is_signed_in_and_has_no_token_at_all_is_damaged_and_not_over() {
    let nothing = set([]);
    for account in [account(), entered()] {
        let state = State::of(&account, &nothing, None, false, T0);
        assert_eq!(state, State::NeedsSignIn { reason: NeedsSignIn::Unreadable });
        assert_eq!(plan(T0, &account, &nothing, None).action, Action::Rest);
    }
}

#[test]
fn nothing_is_planned_for_an_account_that_waits_for_its_person() {
    let mut account = account();
    let credentials = set([access(&account, 5), refresh(&account, Some(6), Some(15))]);
    account.condition = Condition::NeedsSignIn { reason: NeedsSignIn::AbsoluteEnd, at: at(15) };
    assert_eq!(plan(at(100), &account, &credentials, None).action, Action::Rest);
}

#[test]
fn while_renewal_fails_the_end_of_the_access_token_is_announced_on_the_way_to_the_next_try() {
    let account = account();
    let credentials = set([access(&account, 60), refresh(&account, None, None)]);
    let trouble = Trouble { failure: FailureKind::ServerError, detail: String::new(), attempts: 3, retry_at: at(120) };
    let first = plan(at(50), &account, &credentials, Some(&trouble));
    assert_eq!((first.next_at, first.action), (at(60), Action::Announce));
    let then = plan(at(60), &account, &credentials, Some(&trouble));
    assert_eq!((then.next_at, then.action), (at(120), Action::Renew));
}

#[test]
fn access_5_sliding_6_absolute_15_is_renewed_until_the_absolute_end_and_never_after_it() {
    let account = account();
    let mut credentials = set([access(&account, 5), refresh(&account, Some(6), Some(15))]);
    let mut renewals = Vec::new();
    loop {
        let plan = plan(T0, &account, &credentials, None);
        match plan.action {
            Action::Renew => {
                let now = plan.next_at;
                assert_eq!(State::of(&account, &credentials, None, false, now.plus_millis(-1)), State::Fresh);
                renewals.push(now.since(T0));
                let mut next = access(&account, 5);
                next.lifetime = Lifetime::beginning(now);
                next.lifetime.absolute_expires_at =
                    Some(crate::Known::new(now.plus_millis(5000), crate::Origin::Reported));
                credentials.insert(next);
                if let Some(refresh) = &mut credentials.refresh {
                    refresh.lifetime = refresh.lifetime.renewed(now);
                }
            }
            Action::End(reason) => {
                assert_eq!((plan.next_at, reason), (at(15), NeedsSignIn::AbsoluteEnd));
                break;
            }
            other => panic!("{other:?} after {renewals:?}"),
        }
    }
    assert_eq!(renewals, [2500, 5000, 7500, 10_000, 12_500]);
}

#[test]
fn waits_grow_to_a_quarter_of_an_hour() {
    let wait = |attempts| retry_at(T0, &failure(FailureKind::Unreachable), attempts, None, 500).since(T0);
    assert_eq!([1, 2, 3, 4].map(wait), [5_000, 10_000, 20_000, 40_000]);
    assert_eq!(wait(30), 15 * 60_000);
    assert_eq!(wait(u32::MAX), 15 * 60_000);
}

#[test]
fn waits_shrink_towards_the_last_moment_that_helps() {
    let deadline = Some(at(60));
    let wait = |attempts| retry_at(T0, &failure(FailureKind::TimedOut), attempts, deadline, 500).since(T0);
    assert_eq!(wait(9), 30_000);
    let last = retry_at(at(59), &failure(FailureKind::TimedOut), 9, deadline, 500);
    assert_eq!(last, at(60), "never under a second");
}

#[test]
fn a_server_that_names_its_wait_is_obeyed_up_to_an_hour() {
    let asked = |s| retry_at(T0, &failure(FailureKind::RateLimited).with_retry_after(s), 1, Some(at(10)), 0).since(T0);
    assert_eq!(asked(Some(120)), 120_000);
    assert_eq!(asked(None), 60_000);
    assert_eq!(asked(Some(u64::MAX)), 3_600_000);
}

#[test]
fn both_limits_together_end_at_the_earlier_and_a_tie_is_the_absolute_one() {
    let account = account();
    let lifetime = |sliding, absolute| refresh(&account, sliding, absolute).lifetime;
    assert_eq!(lifetime(Some(60), Some(90)).limited_by(), Some(Limit::Sliding));
    assert_eq!(lifetime(Some(60), Some(60)).limited_by(), Some(Limit::Absolute));
    assert_eq!(lifetime(None, None).effective_end(), None);
    let used = lifetime(Some(60), Some(90)).renewed(at(50));
    assert_eq!((used.effective_end(), used.limited_by()), (Some(at(90)), Some(Limit::Absolute)));
    assert_eq!(used.renewed(at(10)).last_used_at, at(50), "a clock that steps back does not undo a use");
}

proptest! {
    #[test]
    fn a_plan_never_lies_before_half_of_an_access_tokens_life(
        life in 1_i64..400 * 86_400, sliding in proptest::option::of(1_i64..400 * 86_400),
        absolute in proptest::option::of(1_i64..4000 * 86_400),
    ) {
        let plan = planned(life, sliding, absolute);
        let first = (life * 500).min(sliding.map_or(i64::MAX, |s| s * 400)).min(absolute.map_or(i64::MAX, |a| a * 1000));
        prop_assert!(plan.next_at.since(T0) >= first, "{plan:?}");
    }

    #[test]
    fn a_retry_lies_ahead_and_not_beyond_its_ceiling(
        attempts in 0_u32.., left in proptest::option::of(-1_000_000_000_i64..1_000_000_000_000), jitter in 0_u16..,
        asked in proptest::option::of(0_u64..),
    ) {
        let failure = failure(FailureKind::ServerError).with_retry_after(asked);
        let wait = retry_at(T0, &failure, attempts, left.map(|left| T0.plus_millis(left)), jitter).since(T0);
        prop_assert!(wait >= asked.map_or(900, |_| 0) && wait <= 66 * 60_000, "{wait}");
    }
}
