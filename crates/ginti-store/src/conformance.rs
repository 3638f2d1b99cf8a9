//! The conformance suite: what every back end must do, checked through the trait alone.
//!
//! A back end's tests give [`conformance_tests!`](crate::conformance_tests) a fresh [`Fixture`]; each rule of the trait's
//! documentation then is a test of its own there. What they compare with is the [`Reference`]: the whole import rule over
//! tables in memory, public so that other crates' tests compare with it too.

pub mod access;
mod between;
pub mod catalogue;
pub mod concurrency;
pub mod convergence;
pub mod cursor;
pub mod devices;
pub mod differential;
mod draws;
pub mod durability;
pub mod late;
pub mod outcomes;
pub mod people;
pub mod receipts;
mod reference;
pub mod sessions;
pub mod standing;
pub mod tokens;
mod world;

use std::sync::Arc;

pub use between::{Behind, Between};
pub use draws::Draws;
pub use reference::Reference;

use crate::{Store, async_trait};

/// A database for one test, empty at first.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Opens it. Opened again, after the store from before was closed, it holds what was stored.
    async fn open(&self) -> Arc<dyn Store>;
}

/// Makes a test of every rule. The argument makes a new fixture each time it is evaluated.
#[macro_export]
macro_rules! conformance_tests {
    ($fixture:expr) => {
        $crate::conformance_tests! { $fixture;
            access::a_session_outside_the_facilities_is_as_good_as_none
            access::an_import_needs_a_session_the_sender_may_work_in
            access::the_same_ids_in_two_tenants_never_meet
            access::every_method_stays_in_its_tenant
            catalogue::facilities_are_listed_and_renamed
            catalogue::products_are_added_replaced_and_paged
            catalogue::what_belongs_to_a_missing_tenant_is_refused
            concurrency::many_devices_on_the_same_rows
            convergence::any_multiset_in_any_order_gives_the_reference_table
            cursor::pages_are_complete_while_counts_come_in
            cursor::only_what_holds_is_listed_after_the_cursor
            cursor::a_cursor_at_the_end_stays_where_it_is
            devices::a_revoked_device_stores_nothing
            devices::attribution_needs_a_sign_in_on_the_device
            devices::a_new_id_takes_over_the_people_of_the_former
            devices::a_hand_over_needs_a_person_of_the_former
            devices::a_retired_id_is_not_believed_beyond_its_bound
            differential::random_histories_are_answered_as_by_the_reference
            differential::batches_that_arrive_together_are_answered_as_one_after_the_other
            durability::everything_survives_closing_and_opening
            durability::a_closed_store_says_so
            durability::a_new_epoch_is_in_every_answer
            durability::secrets_and_the_demo_mark_stay
            late::counts_for_a_submitted_session_are_late_and_listed
            late::a_late_count_is_applied_when_its_session_takes_counts_again
            late::a_late_count_that_is_applied_keeps_its_attribution
            late::a_late_count_that_was_overtaken_no_longer_waits
            late::every_status_takes_counts_or_not
            outcomes::applied_superseded_and_duplicate
            outcomes::equal_revisions_are_ordered_by_device
            outcomes::a_stamp_with_other_content_is_refused_and_changes_nothing
            outcomes::each_part_of_the_content_is_compared_as_sent
            outcomes::content_is_kept_exactly_and_attribution_filled_in
            outcomes::one_row_twice_in_a_batch
            outcomes::a_revision_ahead_is_refused_and_stays_so
            outcomes::history_keeps_every_revision_in_order_of_arrival
            people::users_are_put_and_found
            people::a_name_of_another_tenant_is_taken
            people::a_user_needs_its_tenant_and_facilities
            receipts::items_stand_in_the_order_of_the_batch
            receipts::a_repeated_batch_gets_the_same_receipt
            receipts::a_row_named_twice_is_answered_with_what_holds_in_the_end
            receipts::a_batch_id_with_other_content_stores_nothing
            receipts::a_batch_id_belongs_to_its_tenant
            receipts::the_ledger_grows_with_what_is_stored_only
            sessions::a_session_is_made_once_and_listed_oldest_first
            sessions::assignments_are_paged_by_sequence_id
            sessions::numbers_of_a_summary_follow_the_counts
            sessions::a_session_needs_its_facility
            standing::a_device_is_complete_when_the_server_has_what_it_said
            standing::a_session_is_handed_in_complete_or_by_name
            standing::the_device_that_hands_in_states_what_it_counted
            standing::a_session_moves_as_its_roles_allow
            standing::a_session_is_given_to_a_colleague
            standing::a_report_reaches_what_its_sender_may_see
            tokens::a_token_rotates_along_its_family
            tokens::within_the_grace_a_token_is_exchanged_again
            tokens::after_the_grace_reuse_revokes_the_family
            tokens::a_new_password_ends_the_sign_ins_made_with_the_old_one
            tokens::a_new_sign_in_ends_the_one_it_takes_the_place_of
            tokens::ended_revoked_and_unknown_tokens_are_refused
            tokens::blocking_a_device_ends_the_sign_ins_on_it_and_no_others
        }
    };
    ($fixture:expr; $($module:ident::$case:ident)*) => {$(
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            $crate::conformance::$module::$case(&$fixture).await;
        }
    )*};
}
