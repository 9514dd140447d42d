-- Skipped until SQLite is that far.
-- needs: 99.0
select everything from everywhere;
