-- The table of docs/comparison.md: what each answers, with a mark whether it is right.
SELECT '| ' || s.story || ' | ' || s.what || ' | ' || s.answer || ' | '
       || string_agg(CASE WHEN a.answer = s.answer THEN 'right'
                          ELSE coalesce('**' || a.answer || '**', '**cannot say**') END,
                     ' | ' ORDER BY o.place) || ' |'
FROM comparison.stories s
CROSS JOIN unnest('{example_app,sql_destination,own_trigger,extension}'::text[]) WITH ORDINALITY o (one, place)
CROSS JOIN LATERAL (SELECT comparison.answer(o.one, s) AS answer) a
GROUP BY s.story, s.what, s.answer ORDER BY s.story;
SELECT '| | right, of 12 | | ' || string_agg(of_one, ' | ' ORDER BY place) || ' |'
FROM (SELECT o.place, count(*) FILTER (WHERE comparison.answer(o.one, s) = s.answer)::text AS of_one
      FROM comparison.stories s
      CROSS JOIN unnest('{example_app,sql_destination,own_trigger,extension}'::text[]) WITH ORDINALITY o (one, place)
      GROUP BY o.place) r;
