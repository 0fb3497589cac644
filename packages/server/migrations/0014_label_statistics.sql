-- By a hundred samples the planner takes a label that one pod in 500 has for one that a hundredth has, and then reads pods in
-- the order of their ids rather than the 2,000 that the index finds: 25 ms instead of 6.
alter table pod alter column labels set statistics 400;
