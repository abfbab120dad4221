"""What people say: sites, rooms, assignments, rules, lots, people, actions; and the changes journal."""
