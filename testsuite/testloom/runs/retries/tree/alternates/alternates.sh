count=$(cat ../count 2>/dev/null || echo 0)
echo $((count + 1)) >../count
echo "attempt $((count + 1))"
test $((count % 2)) = 1
