//! Everything the desk does, on both databases: each case runs on SQLite and on PostgreSQL.

mod accounts;
mod alerting;
mod deciding;
mod delivering;
mod fleet;
mod people;
mod planning;
mod reviewing;
mod watching;
mod world;

macro_rules! on_both {
    ($($module:ident::$case:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                crate::$module::$case(&crate::world::World::on_sqlite(folder.path()).await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let database = ginti_cluster::Database::new().await.unwrap();
                crate::$module::$case(&crate::world::World::on_postgres(&database.url).await).await;
            })*
        }
    };
}

on_both! {
    planning::a_run_is_made_once_and_listed_with_its_sessions
    planning::a_plan_with_something_unknown_makes_nothing
    planning::a_list_is_split_between_people
    planning::a_run_is_cloned_without_its_counts
    planning::sessions_made_elsewhere_get_runs_of_their_own
    planning::a_manager_sees_the_own_stores_only
    reviewing::several_sessions_of_a_product_are_summed
    reviewing::two_devices_in_one_place_are_contested_and_in_two_are_not
    reviewing::what_was_not_counted_stands_in_the_review
    reviewing::a_late_count_is_shown_and_counts_for_nothing
    reviewing::a_reopened_session_leaves_the_review
    reviewing::a_recount_stands_in_the_place_of_what_was_counted
    reviewing::lines_are_filtered_ordered_searched_and_paged
    reviewing::many_lines_are_filtered_and_ordered_as_few_are
    reviewing::a_line_tells_its_whole_story
    deciding::a_decision_is_taken_and_taken_back
    deciding::a_decision_falls_when_the_count_changes
    deciding::approval_waits_for_what_is_open_contested_or_to_be_recounted
    deciding::what_is_approved_stays
    deciding::lines_go_back_to_whoever_counted_them
    delivering::approved_results_wait_for_their_receivers
    delivering::a_message_is_taken_up_by_one_server_and_tried_again_later
    delivering::a_removed_receiver_gets_nothing_more
    delivering::what_was_approved_is_told_whatever_comes_late
    delivering::a_session_approved_by_itself_is_told_as_its_run_is
    delivering::a_session_beside_others_is_approved_in_its_run
    alerting::an_incident_is_told_when_it_begins_and_when_it_is_over
    alerting::each_rule_finds_what_it_is_about
    alerting::rules_are_the_tenants_own_and_can_be_switched_off
    alerting::two_servers_that_look_at_once_tell_once
    alerting::trouble_is_added_up_hour_by_hour
    fleet::devices_are_listed_by_what_waits_on_them
    fleet::a_device_is_asked_once
    fleet::a_batch_is_found_by_its_id
    people::a_token_is_found_by_its_hash_until_it_is_revoked
    people::tokens_of_a_name_act_under_names_of_their_own
    accounts::a_disabled_account_has_no_sign_in_and_gets_none
    accounts::somebody_is_left_who_can_enable_others
    people::an_invitation_is_used_once
    people::an_invitation_is_withdrawn_renewed_or_overtaken
    watching::progress_adds_up_what_arrived
    watching::a_look_adds_what_came_since_the_one_before
    watching::a_look_sees_what_was_planned_since_the_one_before
}
